//! Catalog, asked for goods and for stock.
use std::collections::HashMap;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::stock_service_client::StockServiceClient;
use souk_proto::catalog::v1::{
    CommitRequest, GetOrderStockRequest, GetProductRequest, GetProductsRequest, OrderStock,
    Product, ProductKind, RefusedLine, ReleaseRequest, ReserveRequest, ReturnToStockRequest,
    StockLine,
};
use souk_rpc::{Failure, Kind as FailureKind, Transport};
use souk_values::{Money, OrderId, ProductId, RefundId};
use tonic::{Code, Request};

use crate::domain::goods::{Goods, Kind};
use crate::error::Error;

/// Of one call; the caller's own deadline counts when it is shorter.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Products and orders of one call.
const AT_ONCE: usize = 500;
/// As catalog sends at most.
const MAX_MESSAGE: usize = 6 * 1024 * 1024;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Catalog {
    products: ProductServiceClient<Transport>,
    stock: StockServiceClient<Transport>,
}

/// A line to be held for an order.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    /// What the buyer saw, so that another price is refused; `None`: whatever it is.
    pub(crate) seen: Option<(u64, Money)>,
}

/// Why a line is not held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) product_id: String,
    /// `out_of_stock`, `price_changed`, `product_gone`.
    pub(crate) reason: String,
    pub(crate) available: Option<i64>,
    /// The price now.
    pub(crate) price: Option<Money>,
    pub(crate) version: Option<u64>,
}

impl Catalog {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            products: ProductServiceClient::new(transport.clone())
                .max_decoding_message_size(MAX_MESSAGE),
            stock: StockServiceClient::new(transport).max_decoding_message_size(MAX_MESSAGE),
        }
    }

    /// The active ones among the products.
    pub(crate) async fn goods(
        &self,
        ids: &[ProductId],
    ) -> Result<HashMap<ProductId, Goods>, Error> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            for product in self.some(some).await? {
                let goods = read(product)?;
                found.insert(goods.id, goods);
            }
        }
        Ok(found)
    }

    fn some<'a>(&'a self, ids: &'a [ProductId]) -> BoxFuture<'a, Result<Vec<Product>, Error>> {
        async move {
            let request = GetProductsRequest { ids: ids.iter().map(ToString::to_string).collect() };
            match self.products.clone().get_products(timed(request)).await {
                Ok(answer) => Ok(answer.into_inner().items),
                // hundreds of long descriptions do not fit into one message
                Err(status) if status.code() == Code::OutOfRange && ids.len() > 1 => {
                    let (left, right) = ids.split_at(ids.len() / 2);
                    let mut items = self.some(left).await?;
                    items.extend(self.some(right).await?);
                    Ok(items)
                }
                Err(status) => Err(Failure::from(status).into()),
            }
        }
        .boxed()
    }

    /// By id, SKU or slug. Hidden or unknown: `ProductNotFound`.
    pub(crate) async fn find(&self, key: &str) -> Result<Goods, Error> {
        let request = GetProductRequest { key: key.to_owned(), include_hidden: false };
        match self.products.clone().get_product(timed(request)).await {
            Ok(answer) => read(answer.into_inner()),
            Err(status) => Err(match Failure::from(status) {
                failure if failure.kind == FailureKind::NotFound => Error::ProductNotFound,
                failure => failure.into(),
            }),
        }
    }

    /// Holds every line for the order or none: whatever is refused, with why. Once for an order.
    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[Hold],
    ) -> Result<Vec<Refused>, Error> {
        let lines = lines.iter().map(|line| StockLine {
            product_id: line.product_id.to_string(),
            quantity: line.quantity,
            version: line.seen.map(|(version, _)| version),
            unit_price_minor: line.seen.map(|(_, price)| price.minor),
            currency: line.seen.map(|(_, p)| p.currency.to_string()).unwrap_or_default(),
        });
        let request =
            ReserveRequest { order_id: order_id.to_string(), lines: lines.collect(), ttl_s: 0 };
        let answer = self.stock.clone().reserve(timed(request)).await;
        let answer = answer.map_err(Failure::from)?.into_inner();
        refused(answer.held, answer.refused)
    }

    /// Held lines leave the shop; whatever had expired and cannot be had again is refused.
    pub(crate) async fn commit(&self, order_id: OrderId) -> Result<Vec<Refused>, Error> {
        let request = CommitRequest { order_id: order_id.to_string() };
        let answer = self.stock.clone().commit(timed(request)).await;
        let answer = answer.map_err(Failure::from)?.into_inner();
        refused(answer.committed, answer.refused)
    }

    /// Whatever the order holds is free again; what had left comes back.
    pub(crate) async fn release(&self, order_id: OrderId) -> Result<(), Error> {
        let request = ReleaseRequest { order_id: order_id.to_string() };
        self.stock.clone().release(timed(request)).await.map_err(Failure::from)?;
        Ok(())
    }

    /// Returned goods go back on the shelf; once for each refund and product.
    pub(crate) async fn return_to_stock(
        &self,
        order_id: OrderId,
        return_id: RefundId,
        lines: &[(ProductId, i64)],
    ) -> Result<(), Error> {
        let lines = lines.iter().map(|(product_id, quantity)| StockLine {
            product_id: product_id.to_string(),
            quantity: *quantity,
            ..StockLine::default()
        });
        let request = ReturnToStockRequest {
            order_id: order_id.to_string(),
            return_id: return_id.to_string(),
            lines: lines.collect(),
        };
        self.stock.clone().return_to_stock(timed(request)).await.map_err(Failure::from)?;
        Ok(())
    }

    /// What catalog's books say of these orders, for checking.
    pub(crate) async fn order_stock(&self, ids: &[OrderId]) -> Result<Vec<OrderStock>, Error> {
        let mut items = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            let order_ids = some.iter().map(ToString::to_string).collect();
            let request = GetOrderStockRequest { order_ids };
            let answer = self.stock.clone().get_order_stock(timed(request)).await;
            items.extend(answer.map_err(Failure::from)?.into_inner().items);
        }
        Ok(items)
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}

fn refused(done: bool, lines: Vec<RefusedLine>) -> Result<Vec<Refused>, Error> {
    if done != lines.is_empty() {
        return Err(Error::Broken("catalog neither held the lines nor said why".to_owned()));
    }
    let read = |line: RefusedLine| Refused {
        price: line
            .unit_price_minor
            .and_then(|minor| Some(Money::new(minor, line.currency.parse().ok()?))),
        product_id: line.product_id,
        reason: line.reason,
        available: line.available,
        version: line.version,
    };
    Ok(lines.into_iter().map(read).collect())
}

fn read(product: Product) -> Result<Goods, Error> {
    let broken = |what: &str| Error::Broken(format!("catalog sent a product without {what}"));
    let price = product.price.as_ref().ok_or_else(|| broken("a price"))?;
    let currency = price.currency.parse().map_err(|_| broken("a currency"))?;
    let kind = match product.kind() {
        ProductKind::Digital => Kind::Digital,
        ProductKind::Physical | ProductKind::Unspecified => Kind::Physical,
    };
    let attribute = |name: &str| product.attributes.get(name).map(|text| text.trim());
    Ok(Goods {
        id: product.id.parse().map_err(|_| broken("an id"))?,
        kind,
        price: Money::new(price.minor, currency),
        version: product.version,
        available: product.stock,
        weight_g: attribute("weight_g").and_then(|text| text.parse().ok()).unwrap_or(0),
        tax_class: attribute("tax_class")
            .filter(|text| !text.is_empty())
            .unwrap_or("standard")
            .to_owned(),
        image: product.images.first().cloned().unwrap_or_default(),
        sku: product.sku,
        slug: product.slug,
        name: product.name,
    })
}
