//! The cart of the user who asks, or of the guest whose secret was sent.
mod view;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use souk_proto::orders::v1::{
    AddItemRequest, Cart, ClearCartRequest, CreateGuestCartRequest, GetCartRequest,
    MergeGuestCartRequest, RemoveItemRequest, SetQuantityRequest,
};
use souk_rpc::{CallContext, Failure};

pub(crate) use view::{AddBody, CartView, GuestCartView, QuantityBody};

use super::checkout::cart_secret;
use super::{Answer, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::session::Buyer;

/// Makes a cart for somebody who is not logged in. The secret is shown this once: send it as
/// `Souk-Cart`. At login, and at any call about cart or orders with both, the cart is added to the
/// user's and ends.
#[utoipa::path(post, path = "/api/carts", tag = "cart",
    responses((status = 201, body = GuestCartView)))]
pub(crate) async fn create_guest(State(site): State<Site>, _who: Buyer) -> Answer<Response> {
    let made = site.clients.carts.clone().create_guest_cart(CreateGuestCartRequest {}).await?;
    let mut response =
        (StatusCode::CREATED, axum::Json(GuestCartView::from(made.into_inner()))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/api/cart"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The cart as it is now. What changed since the last look (price, availability) is marked once in
/// `changes`.
#[utoipa::path(get, path = "/api/cart", tag = "cart",
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart; with a token it is merged into the user's first")),
    responses((status = 200, body = CartView), (status = 401, body = Problem),
        (status = 404, description = "no cart has this secret", body = Problem)),
    security(("bearer" = []), ()))]
pub(crate) async fn get(
    State(site): State<Site>,
    _who: Buyer,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = GetCartRequest { guest_secret: cart_secret(&headers)? };
    Ok(shown(site.clients.carts.clone().get_cart(request).await?.into_inner()))
}

/// Adds a product; the same product adds up.
#[utoipa::path(post, path = "/api/cart", tag = "cart", request_body = AddBody,
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart; with a token it is merged into the user's first")),
    responses((status = 200, body = CartView), (status = 401, body = Problem),
        (status = 404, description = "there is no such product, or no such cart", body = Problem),
        (status = 409, description = "out_of_stock with `available`, currency_mismatch or cart_full", body = Problem)),
    security(("bearer" = []), ()))]
pub(crate) async fn add(
    State(site): State<Site>,
    _who: Buyer,
    headers: HeaderMap,
    mut body: Fields,
) -> Answer<Response> {
    let product = body.required("product_id");
    let quantity = body.integer("quantity").unwrap_or(1);
    if quantity < 1 {
        body.breaks("quantity", "must be at least 1");
    }
    body.finish()?;
    let request = AddItemRequest { guest_secret: cart_secret(&headers)?, product, quantity };
    Ok(shown(site.clients.carts.clone().add_item(request).await?.into_inner()))
}

/// Takes everything out.
#[utoipa::path(delete, path = "/api/cart", tag = "cart",
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart; with a token it is merged into the user's first")),
    responses((status = 200, body = CartView), (status = 401, body = Problem)),
    security(("bearer" = []), ()))]
pub(crate) async fn clear(
    State(site): State<Site>,
    _who: Buyer,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = ClearCartRequest { guest_secret: cart_secret(&headers)? };
    Ok(shown(site.clients.carts.clone().clear_cart(request).await?.into_inner()))
}

/// The same under the name that the first clients know.
#[utoipa::path(delete, path = "/api/cart/clear", tag = "cart",
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart; with a token it is merged into the user's first")),
    responses((status = 200, body = CartView), (status = 401, body = Problem)),
    security(("bearer" = []), ()))]
pub(crate) async fn clear_of_source(
    state: State<Site>,
    who: Buyer,
    headers: HeaderMap,
) -> Answer<Response> {
    clear(state, who, headers).await
}

/// Sets the quantity of a product, whatever it was; 0 takes it out.
#[utoipa::path(put, path = "/api/cart/{product_id}", tag = "cart", request_body = QuantityBody,
    params(("product_id" = String, Path, description = "id, SKU or slug"),
        ("If-Match" = Option<String>, Header, description = "ETag that the caller has seen; another one now: 412"),
        ("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart; with a token it is merged into the user's first")),
    responses((status = 200, body = CartView), (status = 401, body = Problem),
        (status = 404, description = "it is not in the cart, or there is no such product", body = Problem),
        (status = 409, description = "out_of_stock with `available`, currency_mismatch or cart_full", body = Problem)),
    security(("bearer" = []), ()))]
pub(crate) async fn set(
    State(site): State<Site>,
    _who: Buyer,
    Path(product): Path<String>,
    headers: HeaderMap,
    IfMatch(expected_version): IfMatch,
    mut body: Fields,
) -> Answer<Response> {
    body.needs("quantity");
    let quantity = body.integer("quantity").unwrap_or_default();
    if quantity < 0 {
        body.breaks("quantity", "must not be negative");
    }
    body.finish()?;
    let guest_secret = cart_secret(&headers)?;
    let request = SetQuantityRequest { guest_secret, product, quantity, expected_version };
    Ok(shown(site.clients.carts.clone().set_quantity(request).await?.into_inner()))
}

/// Takes a product out.
#[utoipa::path(delete, path = "/api/cart/{product_id}", tag = "cart",
    params(("product_id" = String, Path, description = "id, SKU or slug"),
        ("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart; with a token it is merged into the user's first")),
    responses((status = 200, body = CartView), (status = 401, body = Problem),
        (status = 404, description = "it is not in the cart", body = Problem)),
    security(("bearer" = []), ()))]
pub(crate) async fn remove(
    State(site): State<Site>,
    _who: Buyer,
    Path(product): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = RemoveItemRequest { guest_secret: cart_secret(&headers)?, product };
    Ok(shown(site.clients.carts.clone().remove_item(request).await?.into_inner()))
}

/// Brings a guest's cart along to who has just logged in. Whatever hinders that hinders no login:
/// the guest's cart stays, and merges at the first call with both.
pub(super) async fn bring(site: &Site, headers: &HeaderMap, access_token: &str) {
    let Some(guest_secret) = cart_secret(headers).ok().filter(|secret| !secret.is_empty()) else {
        return;
    };
    let context = CallContext { token: Some(access_token.into()), ..souk_rpc::current() };
    let mut carts = site.clients.carts.clone();
    let merge = carts.merge_guest_cart(MergeGuestCartRequest { guest_secret });
    if let Err(status) = souk_rpc::scope(context, merge).await {
        let reason = Failure::from(status).reason;
        tracing::info!(reason, "guest's cart not merged at login");
    }
}

/// A cart is nobody else's business, and never older than its ETag.
fn shown(cart: Cart) -> Response {
    let mut response = tagged(StatusCode::OK, cart.version, &CartView::from(cart));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
