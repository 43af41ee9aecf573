//! The checkout: what an order of the current cart would cost.
mod view;

use axum::Json;
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use souk_proto::orders::v1::{Address, CheckoutRequest};

pub(crate) use view::{AddressBody, CheckoutBody, QuoteAnswer, QuoteView};

use super::Answer;
use crate::http::Site;
use crate::http::json::{self, Fields};
use crate::http::problem::Problem;
use crate::http::session::Buyer;

/// Takes the fields of a checkout out of a body; the caller finishes it.
pub(crate) fn checkout(body: &mut Fields) -> CheckoutRequest {
    CheckoutRequest {
        guest_secret: String::new(),
        shipping_address: address(body, "shipping_address"),
        billing_address: address(body, "billing_address"),
        shipping_method: body.string("shipping_method").unwrap_or_default(),
        payment_method: body.string("payment_method").unwrap_or_default(),
        coupon: body.string("coupon").unwrap_or_default(),
        note: body.string("note").unwrap_or_default(),
        cart_version: version(body),
        shipping_address_id: body.string("shipping_address_id").unwrap_or_default(),
        billing_address_id: body.string("billing_address_id").unwrap_or_default(),
    }
}

fn version(body: &mut Fields) -> Option<u64> {
    let number = body.integer("cart_version")?;
    let version = u64::try_from(number).ok();
    if version.is_none() {
        body.breaks("cart_version", "must not be negative");
    }
    version
}

fn address(body: &mut Fields, name: &'static str) -> Option<Address> {
    let mut inner = body.object(name)?;
    let mut text = |field| inner.string(field).unwrap_or_default();
    let address = Address {
        name: text("name"),
        company: text("company"),
        line1: text("line1"),
        line2: text("line2"),
        city: text("city"),
        region: text("region"),
        postal_code: text("postal_code"),
        country: text("country"),
        phone: text("phone"),
    };
    body.adopt(name, inner);
    Some(address)
}

/// The secret of a guest's cart; empty: none was sent.
pub(crate) fn cart_secret(headers: &HeaderMap) -> Answer<String> {
    let Some(value) = headers.get("souk-cart") else { return Ok(String::new()) };
    let secret = value.to_str().ok().filter(|text| (1..=200).contains(&text.len()));
    secret.map(str::to_owned).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "cart_not_found", "there is no such cart")
    })
}

/// What an order of the current cart would cost, computed by the code that charges. Changes
/// nothing.
#[utoipa::path(post, path = "/api/checkout/quote", tag = "orders", request_body = CheckoutBody,
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart")),
    responses((status = 200, body = QuoteAnswer)))]
pub(crate) async fn quote(
    State(site): State<Site>,
    _who: Buyer,
    request: Request,
) -> Answer<Json<QuoteAnswer>> {
    let headers = request.headers().clone();
    let bytes = json::body(request, &site).await?;
    let mut body = Fields::parse_optional(&headers, &bytes)?;
    let mut request = checkout(&mut body);
    body.finish()?;
    request.guest_secret = cart_secret(&headers)?;
    let answer = site.clients.orders.clone().quote(request).await?.into_inner();
    Ok(Json(answer.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<CheckoutRequest, Vec<String>> {
        let mut body = Fields::parse(body.as_bytes()).unwrap();
        let request = checkout(&mut body);
        let broken: Vec<String> = body.violations().into_iter().map(|v| v.field).collect();
        if broken.is_empty() { Ok(request) } else { Err(broken) }
    }

    #[test]
    fn addresses_are_objects_within_the_body() {
        let request = read(
            r#"{"shipping_address": {"name": "Ann", "line1": "1 Main St", "city": "Berlin",
                "country": "DE"}, "billing_address_id": "adr_1", "cart_version": 7}"#,
        )
        .unwrap();
        let address = request.shipping_address.unwrap();
        assert_eq!((address.name.as_str(), address.country.as_str()), ("Ann", "DE"));
        assert_eq!((request.billing_address_id.as_str(), request.cart_version), ("adr_1", Some(7)));
        assert_eq!(read("{}"), Ok(CheckoutRequest::default()));
    }

    #[test]
    fn everything_broken_is_named_with_its_place() {
        let broken = read(
            r#"{"shipping_address": {"name": 1, "street": "x"}, "billing_address": "home",
                "cart_version": -1, "coupon": 5, "colour": "red"}"#,
        );
        let expected = [
            "shipping_address.name",
            "shipping_address.street",
            "billing_address",
            "coupon",
            "cart_version",
            "colour",
        ];
        assert_eq!(broken.unwrap_err(), expected);
    }
}
