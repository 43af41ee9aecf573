//! Orders as the shop's staff see and handle them.
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use souk_proto::orders::v1::{
    AddNoteRequest, CancelOrderRequest, DeliverOrderRequest, GetOrderRequest, RefundLine,
    RefundOrderRequest, ResumeOrderRequest, SearchOrdersRequest, ShipOrderRequest,
};
use utoipa::ToSchema;

use super::view::{RefundLineView, StaffOrder, StaffOrderPage};
use super::{CancelBody, fingerprint, optional, reason};
use crate::api::{Answer, idempotency_key, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{OrdersReader, OrdersWriter};

/// Everybody's orders.
#[utoipa::path(get, path = "/api/admin/orders", tag = "orders", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("sort" = Option<String>, Query, description = "created_at or total; \"-\" in front turns it round; default -created_at"),
    ("status" = Option<String>, Query),
    ("q" = Option<String>, Query, description = "words of number, SKU, product name, name in an address"),
    ("user_id" = Option<String>, Query),
    ("product_id" = Option<String>, Query),
    ("from" = Option<String>, Query, description = "a date or a time; this moment included"),
    ("to" = Option<String>, Query, description = "a date or a time; this moment excluded"),
    ("needs_review" = Option<bool>, Query),
), responses((status = 200, body = StaffOrderPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: OrdersReader,
    mut query: Query,
) -> Answer<Json<StaffOrderPage>> {
    let request = SearchOrdersRequest {
        page: Some(query.page()),
        status: query.text("status").unwrap_or_default(),
        text: query.text("q").unwrap_or_default(),
        user_id: query.text("user_id").unwrap_or_default(),
        product_id: query.text("product_id").unwrap_or_default(),
        from_us: query.time("from").unwrap_or_default(),
        to_us: query.time("to").unwrap_or_default(),
        needs_review: query.boolean("needs_review"),
        sort: query.text("sort").unwrap_or_default(),
    };
    query.finish()?;
    let found = site.clients.orders.clone().search_orders(request).await;
    let sent_as = |field: &str| (field == "text").then(|| "q".to_owned());
    let found = found.map_err(|status| Problem::from(status).renamed(sent_as))?.into_inner();
    Ok(Json(found.into()))
}

/// Any order, by id or number, with its timeline.
#[utoipa::path(get, path = "/api/admin/orders/{id}", tag = "orders", params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: OrdersReader,
    Path(id): Path<String>,
) -> Answer<Response> {
    let request = GetOrderRequest { id, as_staff: true };
    let found = site.clients.orders.clone().get_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, found.version, &StaffOrder::from(found)))
}

/// How an order goes on its way.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ShipBody {
    #[schema(nullable = false, max_length = 100)]
    carrier: Option<String>,
    #[schema(nullable = false, max_length = 100)]
    tracking_number: Option<String>,
    #[schema(nullable = false, max_length = 500)]
    tracking_url: Option<String>,
}

/// Marks a confirmed order as sent; the customer gets a letter.
#[utoipa::path(post, path = "/api/admin/orders/{id}/ship", tag = "orders", request_body = Option<ShipBody>,
    params(("id" = String, Path, description = "id or number"), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn ship(
    State(site): State<Site>,
    _may: OrdersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    request: Request,
) -> Answer<Response> {
    let mut body = optional(&site, request).await?.0;
    let request = ShipOrderRequest {
        id,
        carrier: body.string("carrier").unwrap_or_default(),
        tracking_number: body.string("tracking_number").unwrap_or_default(),
        tracking_url: body.string("tracking_url").unwrap_or_default(),
        expected_version,
    };
    body.finish()?;
    let after = site.clients.orders.clone().ship_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, after.version, &StaffOrder::from(after)))
}

/// Marks a sent order as arrived; one of digital goods only needs no sending.
#[utoipa::path(post, path = "/api/admin/orders/{id}/deliver", tag = "orders",
    params(("id" = String, Path, description = "id or number"), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn deliver(
    State(site): State<Site>,
    _may: OrdersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
) -> Answer<Response> {
    let request = DeliverOrderRequest { id, expected_version };
    let after = site.clients.orders.clone().deliver_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, after.version, &StaffOrder::from(after)))
}

/// Cancels an order that is not shipped. A paid one is refunded.
#[utoipa::path(post, path = "/api/admin/orders/{id}/cancel", tag = "orders", request_body = Option<CancelBody>,
    params(("id" = String, Path, description = "id or number"), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn cancel(
    State(site): State<Site>,
    _may: OrdersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    request: Request,
) -> Answer<Response> {
    let reason = reason(&site, request).await?;
    let request = CancelOrderRequest { id, reason, as_staff: true, expected_version };
    let after = site.clients.orders.clone().cancel_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, after.version, &StaffOrder::from(after)))
}

/// Money to be given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RefundBody {
    /// A number or a string; absent: what the lines cost, or all that is left when there are no
    /// lines.
    #[schema(nullable = false, example = "9.99")]
    amount: Option<String>,
    #[schema(nullable = false)]
    lines: Option<Vec<RefundLineView>>,
    #[schema(nullable = false, max_length = 500)]
    reason: Option<String>,
    /// The units of `lines`, or all when there are none, go back on the shelf.
    #[schema(nullable = false)]
    restock: Option<bool>,
}

/// Gives money back, in full or in part; with `restock` the goods return to stock.
#[utoipa::path(post, path = "/api/admin/orders/{id}/refunds", tag = "orders", request_body = Option<RefundBody>,
    params(("id" = String, Path, description = "id or number"), ("If-Match" = Option<String>, Header),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn refund(
    State(site): State<Site>,
    _may: OrdersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    request: Request,
) -> Answer<Response> {
    let (mut body, bytes, headers) = optional(&site, request).await?;
    let fingerprint = fingerprint(&format!("POST /api/admin/orders/{id}/refunds"), &bytes);
    let request = RefundOrderRequest {
        id,
        amount: body.decimal("amount"),
        lines: lines(&mut body),
        reason: body.string("reason").unwrap_or_default(),
        restock: body.boolean("restock").unwrap_or_default(),
        idempotency_key: idempotency_key(&headers)?,
        fingerprint,
        expected_version,
    };
    body.finish()?;
    let after = site.clients.orders.clone().refund_order(request).await?.into_inner();
    Ok(tagged(StatusCode::CREATED, after.version, &StaffOrder::from(after)))
}

fn lines(body: &mut Fields) -> Vec<RefundLine> {
    let mut lines = Vec::new();
    for (index, line) in body.objects("lines").unwrap_or_default().into_iter().enumerate() {
        let mut line = Fields::new(line);
        let product_id = line.required("product_id");
        let quantity = line.integer("quantity");
        if quantity.is_none() {
            line.breaks("quantity", "is required");
        }
        for broken in line.violations() {
            body.breaks(&format!("lines[{index}].{}", broken.field), broken.message);
        }
        lines.push(RefundLine { product_id, quantity: quantity.unwrap_or_default() });
    }
    lines
}

/// A remark for staff.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct NoteBody {
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// Adds a remark to the timeline; customers do not see it.
#[utoipa::path(post, path = "/api/admin/orders/{id}/notes", tag = "orders", request_body = NoteBody,
    params(("id" = String, Path, description = "id or number")),
    responses((status = 201, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn note(
    State(site): State<Site>,
    _may: OrdersWriter,
    Path(id): Path<String>,
    mut body: Fields,
) -> Answer<Response> {
    let text = body.required("text");
    body.finish()?;
    let request = AddNoteRequest { id, text };
    let after = site.clients.orders.clone().add_note(request).await?.into_inner();
    Ok(tagged(StatusCode::CREATED, after.version, &StaffOrder::from(after)))
}

/// Takes `needs_review` away and lets what hangs try again at once.
#[utoipa::path(post, path = "/api/admin/orders/{id}/resume", tag = "orders",
    params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = StaffOrder)), security(("bearer" = [])))]
pub(crate) async fn resume(
    State(site): State<Site>,
    _may: OrdersWriter,
    Path(id): Path<String>,
) -> Answer<Response> {
    let request = ResumeOrderRequest { id };
    let after = site.clients.orders.clone().resume_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, after.version, &StaffOrder::from(after)))
}
