//! What was sold, and demand against stock.
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use souk_proto::analytics::v1::{GetSalesRequest, ListDemandRequest, SalesFigures};
use souk_proto::catalog::v1::GetProductRequest;
use souk_values::{Currency, Money};
use utoipa::ToSchema;

use super::window;
use crate::api::{Answer, maybe, time};
use crate::http::Site;
use crate::http::query::Query;
use crate::http::session::{OrdersReader, StatsReader};

/// Confirmed orders; units and revenue less what came back.
#[derive(Serialize, ToSchema)]
pub(crate) struct SalesFiguresView {
    currency: String,
    /// Confirmed ones, whatever became of them.
    orders: u64,
    units: i64,
    /// A decimal number: paid for goods and shipping, of one product for its lines.
    revenue: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SalesDayView {
    /// Begin of the day.
    start: String,
    #[serde(flatten)]
    figures: SalesFiguresView,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProductSalesView {
    product_id: String,
    sku: Option<String>,
    name: Option<String>,
    #[serde(flatten)]
    figures: SalesFiguresView,
}

/// What was sold.
#[derive(Serialize, ToSchema)]
pub(crate) struct SalesView {
    /// One for each currency.
    totals: Vec<SalesFiguresView>,
    /// Only days on which something was sold or came back, oldest first.
    by_day: Vec<SalesDayView>,
    /// At most 100, by revenue.
    top_products: Vec<ProductSalesView>,
    /// Different viewers of products.
    viewers: u64,
    /// Different customers with a confirmed order.
    buyers: u64,
    /// Buyers of viewers: 0.02 is two of a hundred.
    conversion: f64,
}

/// How much a product is wanted, and how much there is.
#[derive(Serialize, ToSchema)]
pub(crate) struct DemandView {
    product_id: String,
    sku: Option<String>,
    name: Option<String>,
    views: u64,
    units_sold: i64,
    /// None of what never runs out.
    stock: Option<i64>,
    /// Days that the stock lasts at this pace; none when nothing was sold.
    cover_days: Option<f64>,
    /// Units of views.
    conversion: f64,
    /// `high_demand_low_stock`, `low_demand_high_stock` or none.
    signal: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DemandList {
    items: Vec<DemandView>,
}

fn figures(figures: SalesFigures) -> SalesFiguresView {
    let SalesFigures { currency, orders, units, revenue_minor } = figures;
    let revenue = match currency.parse::<Currency>() {
        Ok(known) => Money::new(revenue_minor, known).decimal(),
        // no decimals are known of it: minor units
        Err(_) => revenue_minor.to_string(),
    };
    SalesFiguresView { currency, orders, units, revenue }
}

fn fraction(ppm: u64) -> f64 {
    ppm as f64 / 1_000_000.0
}

/// Units and revenue by day and by product, of confirmed orders less what came back. For those who may
/// see everybody's orders.
#[utoipa::path(get, path = "/api/admin/stats/sales", tag = "stats", params(
    ("product" = Option<String>, Query, description = "id, SKU or slug; hidden products too"),
    ("from" = Option<String>, Query, description = "time or date; default 30 days before `to`"),
    ("to" = Option<String>, Query, description = "time or date; default now"),
), responses((status = 200, body = SalesView)), security(("bearer" = [])))]
pub(crate) async fn sales(
    State(site): State<Site>,
    _may: OrdersReader,
    mut query: Query,
) -> Answer<Json<SalesView>> {
    let key = query.text("product");
    let window = Some(window(&mut query));
    query.finish()?;
    let product_id = match key {
        None => String::new(),
        Some(key) => {
            let request = GetProductRequest { key, include_hidden: true };
            site.clients.products.clone().get_product(request).await?.into_inner().id
        }
    };
    let request = GetSalesRequest { window, product_id };
    let found = site.clients.reports.clone().get_sales(request).await?.into_inner();
    let day = |day: souk_proto::analytics::v1::SalesDay| SalesDayView {
        start: time(day.start_us),
        figures: figures(day.figures.unwrap_or_default()),
    };
    let product = |product: souk_proto::analytics::v1::ProductSales| ProductSalesView {
        product_id: product.product_id,
        sku: maybe(product.sku),
        name: maybe(product.name),
        figures: figures(product.figures.unwrap_or_default()),
    };
    Ok(Json(SalesView {
        totals: found.totals.into_iter().map(figures).collect(),
        by_day: found.by_day.into_iter().map(day).collect(),
        top_products: found.top_products.into_iter().map(product).collect(),
        viewers: found.viewers,
        buyers: found.buyers,
        conversion: fraction(found.conversion_ppm),
    }))
}

/// Views and sales against stock: what is wanted and hardly there, or there and hardly wanted.
#[utoipa::path(get, path = "/api/admin/stats/demand", tag = "stats", params(
    ("sort" = Option<String>, Query,
        description = "cover (default: days of stock left, fewest first), views or sales"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 24"),
    ("from" = Option<String>, Query, description = "time or date; default 30 days before `to`"),
    ("to" = Option<String>, Query, description = "time or date; default now"),
), responses((status = 200, body = DemandList)), security(("bearer" = [])))]
pub(crate) async fn demand(
    State(site): State<Site>,
    _may: StatsReader,
    mut query: Query,
) -> Answer<Json<DemandList>> {
    let sort = query.text("sort").unwrap_or_else(|| "cover".to_owned());
    if !["cover", "views", "sales"].contains(&sort.as_str()) {
        query.breaks("sort", "must be cover, views or sales");
    }
    let window = Some(window(&mut query));
    let limit = query.limit();
    query.finish()?;
    let request = ListDemandRequest { window, sort, limit };
    let found = site.clients.reports.clone().list_demand(request).await?.into_inner();
    let items = found.items.into_iter().map(|item| DemandView {
        product_id: item.product_id,
        sku: maybe(item.sku),
        name: maybe(item.name),
        views: item.views,
        units_sold: item.units_sold,
        stock: item.stock,
        cover_days: item.cover_days,
        conversion: fraction(item.conversion_ppm),
        signal: maybe(item.signal),
    });
    Ok(Json(DemandList { items: items.collect() }))
}
