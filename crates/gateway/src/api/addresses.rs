//! The address book of whoever is logged in.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    CreateAddressRequest, CustomerAddress, DeleteAddressRequest, GetAddressRequest,
    ListAddressesRequest, UpdateAddressRequest,
};
use utoipa::ToSchema;

use super::{Answer, created, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::session::Session;

#[derive(Serialize, ToSchema)]
pub(crate) struct AddressView {
    #[schema(example = "adr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    /// What its owner calls it.
    #[schema(example = "home")]
    label: String,
    name: String,
    company: String,
    line1: String,
    line2: String,
    city: String,
    region: String,
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: String,
    phone: String,
    is_default: bool,
    version: u64,
}

impl From<CustomerAddress> for AddressView {
    fn from(a: CustomerAddress) -> Self {
        Self {
            id: a.id,
            label: a.label,
            name: a.name,
            company: a.company,
            line1: a.line1,
            line2: a.line2,
            city: a.city,
            region: a.region,
            postal_code: a.postal_code,
            country: a.country,
            phone: a.phone,
            is_default: a.is_default,
            version: a.version,
        }
    }
}

/// The whole address book: at most 50.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddressList {
    items: Vec<AddressView>,
}

/// What may be said of an address. A new one needs `name`, `line1`, `city` and `country`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct CustomerAddressBody {
    #[schema(nullable = false, max_length = 50)]
    label: Option<String>,
    #[schema(nullable = false, max_length = 200)]
    name: Option<String>,
    #[schema(nullable = false, max_length = 200)]
    company: Option<String>,
    #[schema(nullable = false, max_length = 200)]
    line1: Option<String>,
    #[schema(nullable = false, max_length = 200)]
    line2: Option<String>,
    #[schema(nullable = false, max_length = 100)]
    city: Option<String>,
    #[schema(nullable = false, max_length = 100)]
    region: Option<String>,
    #[schema(nullable = false, max_length = 20)]
    postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(nullable = false)]
    country: Option<String>,
    #[schema(nullable = false, max_length = 40)]
    phone: Option<String>,
    /// One of them is; the first one by itself.
    #[schema(nullable = false)]
    is_default: Option<bool>,
}

/// Lays a body over an address.
fn lay(mut body: Fields, mut address: CustomerAddress) -> Answer<CustomerAddress> {
    for (name, field) in [
        ("label", &mut address.label),
        ("name", &mut address.name),
        ("company", &mut address.company),
        ("line1", &mut address.line1),
        ("line2", &mut address.line2),
        ("city", &mut address.city),
        ("region", &mut address.region),
        ("postal_code", &mut address.postal_code),
        ("country", &mut address.country),
        ("phone", &mut address.phone),
    ] {
        if let Some(text) = body.string(name) {
            *field = text;
        }
    }
    if let Some(is_default) = body.boolean("is_default") {
        address.is_default = is_default;
    }
    body.finish()?;
    Ok(address)
}

/// Your addresses, the default one first.
#[utoipa::path(get, path = "/api/me/addresses", tag = "me",
    responses((status = 200, body = AddressList)), security(("bearer" = [])))]
pub(crate) async fn list(State(site): State<Site>, _session: Session) -> Answer<Json<AddressList>> {
    let found = site.clients.addresses.clone().list_addresses(ListAddressesRequest {}).await?;
    let items = found.into_inner().items.into_iter().map(AddressView::from).collect();
    Ok(Json(AddressList { items }))
}

/// Puts an address into your book.
#[utoipa::path(post, path = "/api/me/addresses", tag = "me", request_body = CustomerAddressBody,
    responses((status = 201, body = AddressView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _session: Session,
    body: Fields,
) -> Answer<Response> {
    let address = Some(lay(body, CustomerAddress::default())?);
    let request = CreateAddressRequest { address };
    let made = site.clients.addresses.clone().create_address(request).await?.into_inner();
    let location = format!("/api/me/addresses/{}", made.id);
    Ok(created(&location, Some(made.version), &AddressView::from(made)))
}

/// One of your addresses.
#[utoipa::path(get, path = "/api/me/addresses/{id}", tag = "me", params(("id" = String, Path)),
    responses((status = 200, body = AddressView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
) -> Answer<Response> {
    let found = find(&site, id).await?;
    Ok(tagged(StatusCode::OK, found.version, &AddressView::from(found)))
}

async fn find(site: &Site, id: String) -> Answer<CustomerAddress> {
    Ok(site.clients.addresses.clone().get_address(GetAddressRequest { id }).await?.into_inner())
}

/// Changes the given fields of an address.
#[utoipa::path(put, path = "/api/me/addresses/{id}", tag = "me",
    request_body = CustomerAddressBody,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = AddressView)), security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
    IfMatch(if_match): IfMatch,
    body: Fields,
) -> Answer<Response> {
    let found = find(&site, id).await?;
    let expected_version = Some(if_match.unwrap_or(found.version));
    let address = Some(lay(body, found)?);
    let request = UpdateAddressRequest { address, expected_version };
    let changed = site.clients.addresses.clone().update_address(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, changed.version, &AddressView::from(changed)))
}

/// Takes an address out of your book. Orders keep their copy of it.
#[utoipa::path(delete, path = "/api/me/addresses/{id}", tag = "me", params(("id" = String, Path)),
    responses((status = 200, body = AddressView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
) -> Answer<Json<AddressView>> {
    let request = DeleteAddressRequest { id };
    let gone = site.clients.addresses.clone().delete_address(request).await?.into_inner();
    Ok(Json(gone.into()))
}
