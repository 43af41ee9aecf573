//! Coupons.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::DateTime;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{
    Coupon, DeleteRuleRequest, GetCouponRequest, ListCouponsRequest, PutCouponRequest,
};
use souk_rpc::Failure;
use souk_values::Currency;
use utoipa::ToSchema;

use super::{
    NONE_YET, amount, amount_or_null, check_amounts, currency, decimal, natural_or_null, overlay,
    percent, percent_text, seen,
};
use crate::api::{Answer, created, maybe, maybe_time, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::query::Query;
use crate::http::session::{ShopReader, ShopWriter};

#[derive(Serialize, ToSchema)]
pub(crate) struct CouponView {
    #[schema(example = "SPRING-10")]
    code: String,
    /// `percent`, `amount` or `free_shipping`.
    #[schema(example = "percent")]
    kind: String,
    /// Of kind `percent`.
    #[schema(example = "12.5")]
    percent: Option<String>,
    /// Of kind `amount`.
    amount: Option<String>,
    /// Of `amount` and `minimum`.
    currency: String,
    /// Goods must cost so much.
    minimum: Option<String>,
    starts_at: Option<String>,
    /// Exclusive.
    ends_at: Option<String>,
    total_limit: Option<u64>,
    customer_limit: Option<u64>,
    active: bool,
    /// By orders that hold it.
    used: u64,
    version: u64,
}

impl From<Coupon> for CouponView {
    fn from(c: Coupon) -> Self {
        let text = |minor| decimal(minor, &c.currency);
        Self {
            percent: (c.kind == "percent").then(|| percent_text(c.percent_ppm)),
            amount: (c.kind == "amount").then(|| text(c.amount_minor)),
            minimum: c.minimum_minor.map(text),
            starts_at: maybe_time(c.starts_at_us),
            ends_at: maybe_time(c.ends_at_us),
            code: c.code,
            kind: c.kind,
            currency: c.currency,
            total_limit: c.total_limit,
            customer_limit: c.customer_limit,
            active: c.active,
            used: c.used,
            version: c.version,
        }
    }
}

/// Part of the coupons.
#[derive(Serialize, ToSchema)]
pub(crate) struct CouponPage {
    items: Vec<CouponView>,
    next_cursor: Option<String>,
}

/// What may be said of a coupon. To make one, `code`, `kind` and what the kind needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct CouponBody {
    /// 3 to 40 of A-Z, 0-9, hyphen and underscore, case is no matter; in a change it stands in
    /// the path.
    #[schema(nullable = false)]
    code: Option<String>,
    /// `percent`, `amount` or `free_shipping`.
    #[schema(nullable = false)]
    kind: Option<String>,
    #[schema(nullable = false)]
    percent: Option<String>,
    #[schema(nullable = false)]
    amount: Option<String>,
    /// Default: the shop's.
    #[schema(nullable = false)]
    currency: Option<String>,
    minimum: Option<String>,
    /// RFC 3339.
    starts_at: Option<String>,
    /// RFC 3339, exclusive.
    ends_at: Option<String>,
    total_limit: Option<u64>,
    customer_limit: Option<u64>,
    /// Default true.
    #[schema(nullable = false)]
    active: Option<bool>,
}

/// Lays a body over a coupon.
fn lay(mut body: Fields, mut coupon: Coupon, before: Currency) -> Answer<Coupon> {
    if let Some(kind) = body.string("kind") {
        coupon.kind = kind;
    }
    if let Some(ppm) = percent(&mut body, "percent") {
        coupon.percent_ppm = ppm;
    }
    let currency = currency(&mut body, before);
    let amount = amount(&mut body, "amount", currency);
    let minimum = amount_or_null(&mut body, "minimum", currency);
    let changed = coupon.version > 0 && currency.is_some_and(|currency| currency != before);
    let required = [
        ("amount", amount.is_some() || coupon.kind != "amount"),
        ("minimum", minimum.is_some() || coupon.minimum_minor.is_none()),
    ];
    check_amounts(&mut body, changed, required);
    coupon.currency = currency.unwrap_or(before).to_string();
    coupon.amount_minor = amount.unwrap_or(coupon.amount_minor);
    coupon.minimum_minor = minimum.unwrap_or(coupon.minimum_minor);
    if let Some(us) = time(&mut body, "starts_at") {
        coupon.starts_at_us = us;
    }
    if let Some(us) = time(&mut body, "ends_at") {
        coupon.ends_at_us = us;
    }
    if let Some(limit) = natural_or_null(&mut body, "total_limit") {
        coupon.total_limit = limit;
    }
    if let Some(limit) = natural_or_null(&mut body, "customer_limit") {
        coupon.customer_limit = limit;
    }
    if let Some(active) = body.boolean("active") {
        coupon.active = active;
    }
    body.finish()?;
    Ok(coupon)
}

/// Microseconds; 0 for `null`.
fn time(body: &mut Fields, name: &'static str) -> Option<i64> {
    let Some(text) = body.string_or_null(name)? else { return Some(0) };
    let at = DateTime::parse_from_rfc3339(&text).ok().map(|at| at.timestamp_micros());
    let at = at.filter(|us| *us > 0);
    if at.is_none() {
        body.breaks(name, "must be a time such as 2026-11-21T08:00:00Z, or null");
    }
    at
}

/// Coupons, by code.
#[utoipa::path(get, path = "/api/admin/coupons", tag = "shop", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = CouponPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: ShopReader,
    mut query: Query,
) -> Answer<Json<CouponPage>> {
    let request = ListCouponsRequest { page: Some(query.page()) };
    query.finish()?;
    let found = site.clients.rules.clone().list_coupons(request).await?.into_inner();
    Ok(Json(CouponPage {
        items: found.items.into_iter().map(CouponView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}

/// One coupon, with how often it is used.
#[utoipa::path(get, path = "/api/admin/coupons/{code}", tag = "shop",
    params(("code" = String, Path)),
    responses((status = 200, body = CouponView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: ShopReader,
    Path(code): Path<String>,
) -> Answer<Response> {
    let found = find(&site, code).await?;
    Ok(tagged(StatusCode::OK, found.version, &CouponView::from(found)))
}

async fn find(site: &Site, code: String) -> Answer<Coupon> {
    Ok(site.clients.rules.clone().get_coupon(GetCouponRequest { code }).await?.into_inner())
}

/// Makes a coupon.
#[utoipa::path(post, path = "/api/admin/coupons", tag = "shop", request_body = CouponBody,
    responses((status = 201, body = CouponView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: ShopWriter,
    mut body: Fields,
) -> Answer<Response> {
    let code = body.required("code");
    body.needs("kind");
    let blank = Coupon { code, active: true, ..Coupon::default() };
    let coupon = Some(lay(body, blank, site.currency)?);
    let request = PutCouponRequest { coupon, expected_version: Some(NONE_YET) };
    let made = site.clients.rules.clone().put_coupon(request).await?.into_inner();
    let location = format!("/api/admin/coupons/{}", made.code);
    Ok(created(&location, Some(made.version), &CouponView::from(made)))
}

/// Changes the given fields of a coupon. Orders keep the discount that they got.
#[utoipa::path(put, path = "/api/admin/coupons/{code}", tag = "shop", request_body = CouponBody,
    params(("code" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = CouponView)), security(("bearer" = [])))]
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
            let found = find(&site, code).await?;
            let before = found.currency.parse().unwrap_or(site.currency);
            let expected_version = Some(expected.unwrap_or(found.version));
            let coupon = Some(lay(body, found, before)?);
            let request = PutCouponRequest { coupon, expected_version };
            let answer = site.clients.rules.clone().put_coupon(request).await;
            Ok(answer.map_err(Failure::from))
        }
    });
    let changed = changed.await?.into_inner();
    Ok(tagged(StatusCode::OK, changed.version, &CouponView::from(changed)))
}

/// Removes a coupon that no order ever held.
#[utoipa::path(delete, path = "/api/admin/coupons/{code}", tag = "shop",
    params(("code" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = CouponView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: ShopWriter,
    Path(code): Path<String>,
    IfMatch(if_match): IfMatch,
) -> Answer<Json<CouponView>> {
    let request = DeleteRuleRequest { key: code, expected_version: seen(if_match) };
    let gone = site.clients.rules.clone().delete_coupon(request).await?.into_inner();
    Ok(Json(gone.into()))
}
