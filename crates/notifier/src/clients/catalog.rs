//! Catalog, asked for the newest products.
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{ListProductsRequest, Product};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Transport};
use souk_values::Money;

use crate::domain::newsletter::Item;
use crate::domain::text::one_line;
use crate::error::Error;

/// As catalog sends at most.
const MAX_MESSAGE: usize = 6 * 1024 * 1024;
/// Characters of a name.
const NAME_LIMIT: usize = 200;

/// Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    client: ProductServiceClient<Transport>,
}

impl Catalog {
    pub fn new(transport: Transport) -> Self {
        Self { client: ProductServiceClient::new(transport).max_decoding_message_size(MAX_MESSAGE) }
    }

    /// The newest products that can be bought, the newest first.
    pub async fn newest(&self, limit: u32) -> Result<Vec<Item>, Error> {
        let mut client = self.client.clone();
        let request = ListProductsRequest {
            page: Some(PageRequest { limit, cursor: String::new() }),
            sort: "-created_at".to_owned(),
            ..ListProductsRequest::default()
        };
        let answer = client.list_products(request).await;
        let answer = answer.map_err(|s| Error::CatalogAway(Failure::from(s)))?.into_inner();
        Ok(answer.items.into_iter().map(item).collect())
    }
}

fn item(product: Product) -> Item {
    let price = product.price.and_then(|price| {
        let currency = price.currency.parse().ok()?;
        Some(Money::new(price.minor, currency).to_string())
    });
    Item {
        id: product.id,
        name: one_line(&product.name, NAME_LIMIT),
        price: price.unwrap_or_default(),
    }
}
