//! Orders of the customer who asks. What staff do with orders is in `staff`.
pub(crate) mod staff;
pub(crate) mod view;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use souk_proto::orders::v1::place_order_response::Outcome;
use souk_proto::orders::v1::{
    CancelOrderRequest, GetOrderRequest, ListOrdersRequest, ListPurchasesRequest,
    PlaceOrderRequest, PlaceOrderResponse,
};
use souk_rpc::{Failure, Kind};
use utoipa::ToSchema;

use self::view::{OrderPage, OrderView, PlacedOrder, PurchasePage};
use super::checkout::{CheckoutBody, cart_secret, checkout};
use super::{Answer, idempotency_key, maybe, tagged};
use crate::http::Site;
use crate::http::json::{self, Fields};
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::Session;

/// Places an order of the current cart. An empty body takes the cart as it is and pays with the
/// test method, where the shop allows it.
///
/// 201: confirmed. 202: still worked on, or the buyer has to approve the payment (`next_action`).
/// 402: the payment was declined. 409: it cannot be had as the buyer saw it; `code` says why.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = Option<CheckoutBody>,
    params(("Idempotency-Key" = Option<String>, Header, description = "the same key with the same body gets the same answer; another body: 422; still in flight: 409"),
        ("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart, which is merged first")),
    responses((status = 201, body = PlacedOrder), (status = 202, body = PlacedOrder),
        (status = 402, description = "the payment was declined; the cart is as before", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _session: Session,
    request: Request,
) -> Answer<Response> {
    let headers = request.headers().clone();
    let bytes = json::body(request, &site).await?;
    let idempotency_key = idempotency_key(&headers)?;
    let mut body = Fields::parse_optional(&headers, &bytes)?;
    let mut checkout = checkout(&mut body);
    body.finish()?;
    checkout.guest_secret = cart_secret(&headers)?;
    let request = PlaceOrderRequest {
        checkout: Some(checkout),
        idempotency_key,
        fingerprint: fingerprint("POST /api/orders", &bytes),
    };
    let placed = site.clients.orders.clone().place_order(request).await?.into_inner();
    answer(placed)
}

/// What a request is known by, as the client sent it.
pub(super) fn fingerprint(route: &str, body: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(route.as_bytes());
    hash.update(b"\n");
    hash.update(body);
    hash.finalize().to_vec()
}

/// The same answer gives the same bytes.
fn answer(placed: PlaceOrderResponse) -> Answer<Response> {
    let outcome = placed.outcome();
    let order = placed.order.unwrap_or_default();
    let status = match outcome {
        Outcome::Confirmed => StatusCode::CREATED,
        Outcome::InProgress | Outcome::Unspecified => StatusCode::ACCEPTED,
        Outcome::Declined | Outcome::Refused => {
            let mut why = Failure::new(Kind::Conflict, &placed.code, &placed.detail)
                .with("order_id", &order.id)
                .with("number", &order.number)
                .with("order_status", &order.status);
            why.metadata.extend(placed.facts);
            let mut problem = Problem::from(why).of_trace(placed.trace_id);
            if outcome == Outcome::Declined {
                problem = problem.with_status(StatusCode::PAYMENT_REQUIRED);
            }
            return Err(problem);
        }
    };
    let (location, version) = (format!("/api/orders/{}", order.id), order.version);
    let body = PlacedOrder {
        order_id: order.id.clone(),
        next_action: placed.next_action.map(Into::into),
        order: order.into(),
    };
    let mut response = tagged(status, version, &body);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Own orders, newest first.
#[utoipa::path(get, path = "/api/orders", tag = "orders", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = OrderPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _session: Session,
    mut query: Query,
) -> Answer<Json<OrderPage>> {
    let request = ListOrdersRequest { page: Some(query.page()) };
    query.finish()?;
    let found = site.clients.orders.clone().list_orders(request).await?.into_inner();
    Ok(Json(found.into()))
}

/// The same as `GET /api/orders`.
#[utoipa::path(get, path = "/api/orders/history", tag = "orders", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = OrderPage)), security(("bearer" = [])))]
pub(crate) async fn history(
    site: State<Site>,
    session: Session,
    query: Query,
) -> Answer<Json<OrderPage>> {
    list(site, session, query).await
}

/// One own order, by id or number.
#[utoipa::path(get, path = "/api/orders/{id}", tag = "orders", params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = OrderView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
) -> Answer<Response> {
    let request = GetOrderRequest { id, as_staff: false };
    let found = site.clients.orders.clone().get_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, found.version, &OrderView::from(found)))
}

/// Why an order is cancelled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct CancelBody {
    #[schema(nullable = false, max_length = 500)]
    reason: Option<String>,
}

/// Cancels an own order that is not shipped. A paid one is refunded.
#[utoipa::path(post, path = "/api/orders/{id}/cancel", tag = "orders", request_body = Option<CancelBody>,
    params(("id" = String, Path, description = "id or number"), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = OrderView)), security(("bearer" = [])))]
pub(crate) async fn cancel(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    request: Request,
) -> Answer<Response> {
    let reason = reason(&site, request).await?;
    let request = CancelOrderRequest { id, reason, as_staff: false, expected_version };
    let after = site.clients.orders.clone().cancel_order(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, after.version, &OrderView::from(after)))
}

/// The only field of a body that may be left out.
async fn reason(site: &Site, request: Request) -> Answer<String> {
    let mut body = optional(site, request).await?.0;
    let reason = body.string("reason").unwrap_or_default();
    body.finish()?;
    Ok(reason)
}

/// A body that may be left out, its bytes and the headers.
async fn optional(site: &Site, request: Request) -> Answer<(Fields, axum::body::Bytes, HeaderMap)> {
    let headers = request.headers().clone();
    let bytes = json::body(request, site).await?;
    Ok((Fields::parse_optional(&headers, &bytes)?, bytes, headers))
}

/// What was bought, with the price paid, newest first.
#[utoipa::path(get, path = "/api/purchases", tag = "orders", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = PurchasePage)), security(("bearer" = [])))]
pub(crate) async fn purchases(
    State(site): State<Site>,
    _session: Session,
    mut query: Query,
) -> Answer<Json<PurchasePage>> {
    let request = ListPurchasesRequest { page: Some(query.page()) };
    query.finish()?;
    let found = site.clients.orders.clone().list_purchases(request).await?.into_inner();
    Ok(Json(PurchasePage {
        items: found.items.into_iter().map(Into::into).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}
