//! Tax rates by country and class, and how prices are meant.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{
    DeleteRuleRequest, GetTaxSettingsRequest, ListTaxRatesRequest, PutTaxRateRequest,
    PutTaxSettingsRequest, TaxRate, TaxSettings,
};
use souk_rpc::Failure;
use utoipa::ToSchema;

use super::{NONE_YET, overlay, percent, percent_text, seen};
use crate::api::{Answer, created, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::session::{ShopReader, ShopWriter};

#[derive(Serialize, ToSchema)]
pub(crate) struct TaxRateView {
    /// ISO 3166-1 alpha-2, or `*`: any other.
    #[schema(example = "DE")]
    country: String,
    /// Of a product: its attribute `tax_class`, else `standard`. Of shipping: `shipping`.
    #[schema(example = "standard")]
    class: String,
    /// In percent.
    #[schema(example = "19")]
    rate: String,
    version: u64,
}

impl From<TaxRate> for TaxRateView {
    fn from(r: TaxRate) -> Self {
        let rate = percent_text(r.rate_ppm);
        Self { country: r.country, class: r.class, rate, version: r.version }
    }
}

/// All tax rates.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaxRateList {
    items: Vec<TaxRateView>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct TaxRateBody {
    /// To make one; in a change it stands in the path.
    #[schema(nullable = false)]
    country: Option<String>,
    /// Default `standard`; in a change it stands in the path.
    #[schema(nullable = false)]
    class: Option<String>,
    /// In percent, at most four decimals.
    #[schema(example = "8.25")]
    rate: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TaxSettingsView {
    prices_include_tax: bool,
    /// Of carts without an address; empty: the rates of `*`.
    default_country: String,
    version: u64,
}

impl From<TaxSettings> for TaxSettingsView {
    fn from(s: TaxSettings) -> Self {
        Self {
            prices_include_tax: s.prices_include_tax,
            default_country: s.default_country,
            version: s.version,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct TaxSettingsBody {
    #[schema(nullable = false)]
    prices_include_tax: Option<bool>,
    #[schema(nullable = false)]
    default_country: Option<String>,
}

/// All tax rates, by country and class.
#[utoipa::path(get, path = "/api/admin/tax-rates", tag = "shop",
    responses((status = 200, body = TaxRateList)), security(("bearer" = [])))]
pub(crate) async fn list(State(site): State<Site>, _may: ShopReader) -> Answer<Json<TaxRateList>> {
    let items = all(&site).await?.into_iter().map(TaxRateView::from).collect();
    Ok(Json(TaxRateList { items }))
}

async fn all(site: &Site) -> Answer<Vec<TaxRate>> {
    let request = ListTaxRatesRequest {};
    Ok(site.clients.rules.clone().list_tax_rates(request).await?.into_inner().items)
}

/// Makes a tax rate.
#[utoipa::path(post, path = "/api/admin/tax-rates", tag = "shop", request_body = TaxRateBody,
    responses((status = 201, body = TaxRateView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: ShopWriter,
    mut body: Fields,
) -> Answer<Response> {
    let country = body.required("country");
    let class = body.string("class").unwrap_or_else(|| "standard".to_owned());
    body.needs("rate");
    let rate_ppm = percent(&mut body, "rate").unwrap_or_default();
    body.finish()?;
    let rate = Some(TaxRate { country, class, rate_ppm, version: 0 });
    let request = PutTaxRateRequest { rate, expected_version: Some(NONE_YET) };
    let made = site.clients.rules.clone().put_tax_rate(request).await?.into_inner();
    let location = format!("/api/admin/tax-rates/{}/{}", made.country, made.class);
    Ok(created(&location, Some(made.version), &TaxRateView::from(made)))
}

/// Changes a tax rate.
#[utoipa::path(put, path = "/api/admin/tax-rates/{country}/{class}", tag = "shop",
    request_body = TaxRateBody,
    params(("country" = String, Path), ("class" = String, Path),
        ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = TaxRateView)), security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _may: ShopWriter,
    Path((country, class)): Path<(String, String)>,
    IfMatch(if_match): IfMatch,
    mut body: Fields,
) -> Answer<Response> {
    body.same("country", &country);
    body.same("class", &class);
    body.needs("rate");
    let rate_ppm = percent(&mut body, "rate").unwrap_or_default();
    body.finish()?;
    let changed = overlay(if_match, |expected| {
        let (site, country, class) = (site.clone(), country.clone(), class.clone());
        async move {
            let known = |r: &TaxRate| r.country == country && r.class == class;
            let found = all(&site).await?.into_iter().find(known).ok_or_else(|| {
                let sentence = "there is no such tax rate";
                Problem::new(StatusCode::NOT_FOUND, "tax_rate_not_found", sentence)
            })?;
            let expected_version = Some(expected.unwrap_or(found.version));
            let rate = Some(TaxRate { rate_ppm, ..found });
            let request = PutTaxRateRequest { rate, expected_version };
            let answer = site.clients.rules.clone().put_tax_rate(request).await;
            Ok(answer.map_err(Failure::from))
        }
    });
    let changed = changed.await?.into_inner();
    Ok(tagged(StatusCode::OK, changed.version, &TaxRateView::from(changed)))
}

/// Removes a tax rate. Orders keep the tax that they paid.
#[utoipa::path(delete, path = "/api/admin/tax-rates/{country}/{class}", tag = "shop",
    params(("country" = String, Path), ("class" = String, Path),
        ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = TaxRateView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: ShopWriter,
    Path((country, class)): Path<(String, String)>,
    IfMatch(if_match): IfMatch,
) -> Answer<Json<TaxRateView>> {
    let key = format!("{country}/{class}");
    let request = DeleteRuleRequest { key, expected_version: seen(if_match) };
    let gone = site.clients.rules.clone().delete_tax_rate(request).await?.into_inner();
    Ok(Json(gone.into()))
}

/// Whether prices hold tax, and of which country without an address.
#[utoipa::path(get, path = "/api/admin/tax-settings", tag = "shop",
    responses((status = 200, body = TaxSettingsView)), security(("bearer" = [])))]
pub(crate) async fn settings(State(site): State<Site>, _may: ShopReader) -> Answer<Response> {
    let found = current(&site).await?;
    Ok(tagged(StatusCode::OK, found.version, &TaxSettingsView::from(found)))
}

async fn current(site: &Site) -> Answer<TaxSettings> {
    let request = GetTaxSettingsRequest {};
    Ok(site.clients.rules.clone().get_tax_settings(request).await?.into_inner())
}

/// Changes the given ones.
#[utoipa::path(put, path = "/api/admin/tax-settings", tag = "shop",
    request_body = TaxSettingsBody, params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = TaxSettingsView)), security(("bearer" = [])))]
pub(crate) async fn set_settings(
    State(site): State<Site>,
    _may: ShopWriter,
    IfMatch(if_match): IfMatch,
    mut body: Fields,
) -> Answer<Response> {
    let prices_include_tax = body.boolean("prices_include_tax");
    let default_country = body.string("default_country");
    body.finish()?;
    let changed = overlay(if_match, |expected| {
        let (site, default_country) = (site.clone(), default_country.clone());
        async move {
            let found = current(&site).await?;
            let expected_version = Some(expected.unwrap_or(found.version));
            let settings = Some(TaxSettings {
                prices_include_tax: prices_include_tax.unwrap_or(found.prices_include_tax),
                default_country: default_country.unwrap_or(found.default_country),
                version: 0,
            });
            let request = PutTaxSettingsRequest { settings, expected_version };
            let answer = site.clients.rules.clone().put_tax_settings(request).await;
            Ok(answer.map_err(Failure::from))
        }
    });
    let changed = changed.await?.into_inner();
    Ok(tagged(StatusCode::OK, changed.version, &TaxSettingsView::from(changed)))
}
