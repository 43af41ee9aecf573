//! Figures made of events. All times are UTC.
pub(crate) mod sales;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use souk_proto::analytics::v1::{
    Bucket, GetProductReportRequest, GetTotalsRequest, ListTopProductsRequest, Window,
};
use souk_proto::catalog::v1::GetProductRequest;
use utoipa::ToSchema;

use super::{Answer, maybe, time};
use crate::http::Site;
use crate::http::query::Query;
use crate::http::session::StatsReader;

#[derive(Serialize, ToSchema)]
pub(crate) struct BucketView {
    /// Begin of the hour or day.
    start: String,
    views: u64,
    /// By day only.
    unique_viewers: Option<u64>,
}

/// How often a product was looked at.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProductReportView {
    product_id: String,
    /// In the window.
    total_views: u64,
    unique_viewers: u64,
    all_time_views: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_hour: Option<Vec<BucketView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_day: Option<Vec<BucketView>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TopProductView {
    product_id: String,
    views: u64,
    sku: Option<String>,
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TopProducts {
    items: Vec<TopProductView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TotalsView {
    views: u64,
    unique_viewers: u64,
    products_viewed: u64,
    product_changes: u64,
    by_day: Vec<BucketView>,
}

fn bucket(b: Bucket, by_day: bool) -> BucketView {
    BucketView {
        start: time(b.start_us),
        views: b.views,
        unique_viewers: by_day.then_some(b.unique_viewers),
    }
}

fn window(query: &mut Query) -> Window {
    Window {
        from_us: query.time("from").unwrap_or_default(),
        to_us: query.time("to").unwrap_or_default(),
    }
}

/// Views of one product by day or hour.
#[utoipa::path(get, path = "/api/admin/stats/products/{key}", tag = "stats", params(
    ("key" = String, Path, description = "id, SKU or slug; hidden products too"),
    ("by" = Option<String>, Query, description = "day (default) or hour"),
    ("from" = Option<String>, Query, description = "time or date; default 30 days before `to`"),
    ("to" = Option<String>, Query, description = "time or date; default now"),
), responses((status = 200, body = ProductReportView)), security(("bearer" = [])))]
pub(crate) async fn product(
    State(site): State<Site>,
    _may: StatsReader,
    Path(key): Path<String>,
    mut query: Query,
) -> Answer<Json<ProductReportView>> {
    let by = query.text("by").unwrap_or_else(|| "day".to_owned());
    if !["hour", "day"].contains(&by.as_str()) {
        query.breaks("by", "must be hour or day");
    }
    let window = window(&mut query);
    query.finish()?;
    // nobody looks at what never was: catalog knows
    let request = GetProductRequest { key, include_hidden: true };
    let product_id = site.clients.products.clone().get_product(request).await?.into_inner().id;
    let by_day = by == "day";
    let request = GetProductReportRequest { product_id, window: Some(window), by };
    let found = site.clients.reports.clone().get_product_report(request).await?.into_inner();
    let buckets: Vec<BucketView> = found.buckets.into_iter().map(|b| bucket(b, by_day)).collect();
    let (by_day, by_hour) = if by_day { (Some(buckets), None) } else { (None, Some(buckets)) };
    Ok(Json(ProductReportView {
        product_id: found.product_id,
        total_views: found.total_views,
        unique_viewers: found.unique_viewers,
        all_time_views: found.all_time_views,
        by_hour,
        by_day,
    }))
}

/// The products that were looked at most.
#[utoipa::path(get, path = "/api/admin/stats/top", tag = "stats", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 10"),
    ("from" = Option<String>, Query), ("to" = Option<String>, Query),
), responses((status = 200, body = TopProducts)), security(("bearer" = [])))]
pub(crate) async fn top(
    State(site): State<Site>,
    _may: StatsReader,
    mut query: Query,
) -> Answer<Json<TopProducts>> {
    let window = window(&mut query);
    let limit = query.limit();
    query.finish()?;
    let request = ListTopProductsRequest { window: Some(window), limit };
    let found = site.clients.reports.clone().list_top_products(request).await?.into_inner();
    let items = found.items.into_iter().map(|t| TopProductView {
        product_id: t.product_id,
        views: t.views,
        sku: maybe(t.sku),
        name: maybe(t.name),
    });
    Ok(Json(TopProducts { items: items.collect() }))
}

/// Views, viewers and product changes of the whole shop.
#[utoipa::path(get, path = "/api/admin/stats/totals", tag = "stats", params(
    ("from" = Option<String>, Query), ("to" = Option<String>, Query),
), responses((status = 200, body = TotalsView)), security(("bearer" = [])))]
pub(crate) async fn totals(
    State(site): State<Site>,
    _may: StatsReader,
    mut query: Query,
) -> Answer<Json<TotalsView>> {
    let window = Some(window(&mut query));
    query.finish()?;
    let request = GetTotalsRequest { window };
    let found = site.clients.reports.clone().get_totals(request).await?.into_inner();
    Ok(Json(TotalsView {
        views: found.views,
        unique_viewers: found.unique_viewers,
        products_viewed: found.products_viewed,
        product_changes: found.product_changes,
        by_day: found.by_day.into_iter().map(|b| bucket(b, true)).collect(),
    }))
}
