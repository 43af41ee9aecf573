//! Stock as admins see it: what lies on a product's shelf, and every movement of it.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use souk_proto::catalog::v1::{
    GetStockRequest, ListMovementsRequest, MoveStockRequest, Movement, Stock,
};
use utoipa::ToSchema;

use super::sent::SentNames;
use super::{Answer, idempotency_key, maybe, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{StockReader, StockWriter};

/// What lies on a product's shelf. A digital product has none: all is 0, and any number can be had.
#[derive(Serialize, ToSchema)]
pub(crate) struct StockView {
    product_id: String,
    sku: String,
    on_hand: i64,
    /// Promised to orders that are under way.
    reserved: i64,
    /// What can be bought now.
    available: i64,
    /// At or below so many the stock is low; `null`: the shop's threshold counts.
    low_at: Option<i64>,
}

impl From<Stock> for StockView {
    fn from(s: Stock) -> Self {
        Self {
            product_id: s.product_id,
            sku: s.sku,
            on_hand: s.on_hand,
            reserved: s.reserved,
            available: s.available,
            low_at: s.low_at,
        }
    }
}

/// One row of the stock ledger; rows never change.
#[derive(Serialize, ToSchema)]
pub(crate) struct MovementView {
    id: String,
    product_id: String,
    /// `initial`, `receive`, `adjust`, `count`, `sale` or `return`.
    kind: String,
    /// What came; negative: what went.
    quantity: i64,
    on_hand_after: i64,
    reason: String,
    /// Of a sale or a return.
    order_id: Option<String>,
    actor_id: String,
    at: String,
}

impl From<Movement> for MovementView {
    fn from(m: Movement) -> Self {
        Self {
            id: m.id,
            product_id: m.product_id,
            kind: m.kind,
            quantity: m.quantity,
            on_hand_after: m.on_hand_after,
            reason: m.reason,
            order_id: maybe(m.order_id),
            actor_id: m.actor_id,
            at: time(m.at_us),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MovementPage {
    items: Vec<MovementView>,
    next_cursor: Option<String>,
}

/// A movement by hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct MovementBody {
    /// `receive`: so many came; `adjust`: so many more or, negative, fewer; `count`: so many are
    /// there.
    #[schema(example = "receive")]
    kind: String,
    quantity: i64,
    #[schema(max_length = 200, nullable = false)]
    reason: Option<String>,
}

/// The stock of one product.
#[utoipa::path(get, path = "/api/admin/stock/{product}", tag = "stock",
    params(("product" = String, Path, description = "id, SKU or slug; a slash inside is written %2F")),
    responses((status = 200, body = StockView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: StockReader,
    Path(key): Path<String>,
) -> Answer<Json<StockView>> {
    let found = site.clients.stock.clone().get_stock(GetStockRequest { key }).await?.into_inner();
    Ok(Json(found.into()))
}

/// Receives, adjusts or counts the stock of one product.
#[utoipa::path(post, path = "/api/admin/stock/{product}/movements", tag = "stock",
    request_body = MovementBody,
    params(("product" = String, Path, description = "id, SKU or slug; a slash inside is written %2F"),
        ("Idempotency-Key" = Option<String>, Header, description = "repeats the answer of the first request with this key")),
    responses((status = 201, body = StockView)), security(("bearer" = [])))]
pub(crate) async fn move_stock(
    State(site): State<Site>,
    _may: StockWriter,
    Path(key): Path<String>,
    headers: HeaderMap,
    mut body: Fields,
) -> Answer<Response> {
    let kind = body.required("kind");
    let quantity = body.integer("quantity");
    let reason = body.string("reason").unwrap_or_default();
    let mut broken = body.violations();
    if quantity.is_none() && !broken.iter().any(|v| v.field == "quantity") {
        broken.push(souk_rpc::Violation::new("quantity", "is required"));
    }
    let request = MoveStockRequest {
        key,
        kind,
        // only a quantity that was read is moved; 1 breaks no rule
        quantity: quantity.unwrap_or(1),
        reason,
        idempotency_key: idempotency_key(&headers)?,
        check_only: !broken.is_empty(),
    };
    let moved = site.clients.stock.clone().move_stock(request).await;
    let moved = SentNames::default().settle(broken, moved)?;
    let id = moved.product_id.parse().map_err(|_| Problem::not_found())?;
    site.hot.drop_product(id, &[&moved.sku]);
    let location = format!("/api/admin/stock/{}", moved.product_id);
    Ok(super::created(&location, None, &StockView::from(moved)))
}

/// Movements of stock, newest first.
#[utoipa::path(get, path = "/api/admin/stock/movements", tag = "stock", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("product" = Option<String>, Query, description = "id, SKU or slug"),
    ("kind" = Option<String>, Query, description = "initial, receive, adjust, count, sale or return"),
    ("order_id" = Option<String>, Query),
), responses((status = 200, body = MovementPage)), security(("bearer" = [])))]
pub(crate) async fn movements(
    State(site): State<Site>,
    _may: StockReader,
    mut query: Query,
) -> Answer<Json<MovementPage>> {
    let request = ListMovementsRequest {
        page: Some(query.page()),
        key: query.text("product").unwrap_or_default(),
        kind: query.text("kind").unwrap_or_default(),
        order_id: query.text("order_id").unwrap_or_default(),
    };
    query.finish()?;
    let found = site.clients.stock.clone().list_movements(request).await?.into_inner();
    Ok(Json(MovementPage {
        items: found.items.into_iter().map(MovementView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}
