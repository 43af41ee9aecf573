//! Shipping methods.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{
    DeleteRuleRequest, ListShippingMethodsRequest, PutShippingMethodRequest, ShippingMethod,
};
use souk_rpc::Failure;
use souk_values::Currency;
use utoipa::ToSchema;

use super::{
    NONE_YET, amount, amount_or_null, check_amounts, currency, decimal, natural, natural_or_null,
    overlay, seen,
};
use crate::api::{Answer, created, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::session::{ShopReader, ShopWriter};

#[derive(Serialize, ToSchema)]
pub(crate) struct ShippingMethodView {
    #[schema(example = "parcel")]
    code: String,
    name: String,
    /// `flat` or `by_weight`.
    #[schema(example = "flat")]
    kind: String,
    currency: String,
    /// Flat: the price. By weight: of the first step.
    #[schema(example = "4.90")]
    price: String,
    /// By weight: of each further begun step.
    step_price: String,
    /// By weight: grams of one step.
    step_g: u64,
    /// Goods after discount that cost so much or more ship free.
    free_above: Option<String>,
    max_weight_g: Option<u64>,
    /// Empty: everywhere.
    countries: Vec<String>,
    active: bool,
    version: u64,
}

impl From<ShippingMethod> for ShippingMethodView {
    fn from(m: ShippingMethod) -> Self {
        let text = |minor| decimal(minor, &m.currency);
        Self {
            price: text(m.price_minor),
            step_price: text(m.step_price_minor),
            free_above: m.free_above_minor.map(text),
            code: m.code,
            name: m.name,
            kind: m.kind,
            currency: m.currency,
            step_g: m.step_g,
            max_weight_g: m.max_weight_g,
            countries: m.countries,
            active: m.active,
            version: m.version,
        }
    }
}

/// All shipping methods.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShippingMethodList {
    items: Vec<ShippingMethodView>,
}

/// What may be said of a shipping method. To make one, `code`, `name` and `price` are needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ShippingMethodBody {
    /// 1 to 40 of a-z, 0-9, hyphen and underscore; in a change it stands in the path.
    #[schema(nullable = false)]
    code: Option<String>,
    #[schema(nullable = false, min_length = 1, max_length = 100)]
    name: Option<String>,
    /// `flat` (default) or `by_weight`.
    #[schema(nullable = false)]
    kind: Option<String>,
    /// Default: the shop's.
    #[schema(nullable = false)]
    currency: Option<String>,
    #[schema(nullable = false)]
    price: Option<String>,
    #[schema(nullable = false)]
    step_price: Option<String>,
    #[schema(nullable = false)]
    step_g: Option<u64>,
    free_above: Option<String>,
    max_weight_g: Option<u64>,
    #[schema(nullable = false)]
    countries: Option<Vec<String>>,
    /// Default true.
    #[schema(nullable = false)]
    active: Option<bool>,
}

/// Lays a body over a method.
fn lay(mut body: Fields, mut method: ShippingMethod, before: Currency) -> Answer<ShippingMethod> {
    if let Some(name) = body.string("name") {
        method.name = name;
    }
    if let Some(kind) = body.string("kind") {
        method.kind = kind;
    }
    let currency = currency(&mut body, before);
    let price = amount(&mut body, "price", currency);
    let step_price = amount(&mut body, "step_price", currency);
    let free_above = amount_or_null(&mut body, "free_above", currency);
    let changed = method.version > 0 && currency.is_some_and(|currency| currency != before);
    let required = [
        ("price", price.is_some()),
        ("step_price", step_price.is_some() || method.step_price_minor == 0),
        ("free_above", free_above.is_some() || method.free_above_minor.is_none()),
    ];
    check_amounts(&mut body, changed, required);
    method.currency = currency.unwrap_or(before).to_string();
    method.price_minor = price.unwrap_or(method.price_minor);
    method.step_price_minor = step_price.unwrap_or(method.step_price_minor);
    method.free_above_minor = free_above.unwrap_or(method.free_above_minor);
    if let Some(grams) = body.integer("step_g") {
        method.step_g = natural(&mut body, "step_g", grams).unwrap_or_default();
    }
    if let Some(grams) = natural_or_null(&mut body, "max_weight_g") {
        method.max_weight_g = grams;
    }
    if let Some(countries) = body.strings("countries") {
        method.countries = countries;
    }
    if let Some(active) = body.boolean("active") {
        method.active = active;
    }
    body.finish()?;
    Ok(method)
}

/// All shipping methods, by code.
#[utoipa::path(get, path = "/api/admin/shipping-methods", tag = "shop",
    responses((status = 200, body = ShippingMethodList)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: ShopReader,
) -> Answer<Json<ShippingMethodList>> {
    let found = all(&site).await?;
    Ok(Json(ShippingMethodList { items: found.into_iter().map(Into::into).collect() }))
}

async fn all(site: &Site) -> Answer<Vec<ShippingMethod>> {
    let request = ListShippingMethodsRequest {};
    Ok(site.clients.rules.clone().list_shipping_methods(request).await?.into_inner().items)
}

/// Makes a shipping method.
#[utoipa::path(post, path = "/api/admin/shipping-methods", tag = "shop",
    request_body = ShippingMethodBody,
    responses((status = 201, body = ShippingMethodView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: ShopWriter,
    mut body: Fields,
) -> Answer<Response> {
    let code = body.required("code");
    for needed in ["name", "price"] {
        body.needs(needed);
    }
    let blank =
        ShippingMethod { code, kind: "flat".to_owned(), active: true, ..ShippingMethod::default() };
    let method = Some(lay(body, blank, site.currency)?);
    let request = PutShippingMethodRequest { method, expected_version: Some(NONE_YET) };
    let made = site.clients.rules.clone().put_shipping_method(request).await?.into_inner();
    let location = format!("/api/admin/shipping-methods/{}", made.code);
    Ok(created(&location, Some(made.version), &ShippingMethodView::from(made)))
}

/// Changes the given fields of a shipping method.
#[utoipa::path(put, path = "/api/admin/shipping-methods/{code}", tag = "shop",
    request_body = ShippingMethodBody,
    params(("code" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = ShippingMethodView)), security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _may: ShopWriter,
    Path(code): Path<String>,
    IfMatch(if_match): IfMatch,
    mut body: Fields,
) -> Answer<Response> {
    body.same("code", &code);
    let changed = overlay(if_match, |expected| {
        let (site, code, body) = (site.clone(), code.clone(), body.clone());
        async move {
            let found = all(&site).await?.into_iter().find(|m| m.code == code);
            let found = found.ok_or_else(|| {
                let sentence = "there is no such shipping method";
                Problem::new(StatusCode::NOT_FOUND, "shipping_method_not_found", sentence)
            })?;
            let before = found.currency.parse().unwrap_or(site.currency);
            let expected_version = Some(expected.unwrap_or(found.version));
            let method = Some(lay(body, found, before)?);
            let request = PutShippingMethodRequest { method, expected_version };
            let answer = site.clients.rules.clone().put_shipping_method(request).await;
            Ok(answer.map_err(Failure::from))
        }
    });
    let changed = changed.await?.into_inner();
    Ok(tagged(StatusCode::OK, changed.version, &ShippingMethodView::from(changed)))
}

/// Removes a shipping method. Orders keep what they paid for.
#[utoipa::path(delete, path = "/api/admin/shipping-methods/{code}", tag = "shop",
    params(("code" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = ShippingMethodView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: ShopWriter,
    Path(code): Path<String>,
    IfMatch(if_match): IfMatch,
) -> Answer<Json<ShippingMethodView>> {
    let request = DeleteRuleRequest { key: code, expected_version: seen(if_match) };
    let gone = site.clients.rules.clone().delete_shipping_method(request).await?;
    Ok(Json(gone.into_inner().into()))
}
