//! Keys for programs: they act for their owner, within scopes, until they expire or are revoked.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    ApiKey, CreateApiKeyRequest, ListApiKeysRequest, RevokeApiKeyRequest,
};
use utoipa::ToSchema;

use super::{Answer, created, maybe_time, secret, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::{Session, UsersReader, UsersWriter};

/// Days that a key may live.
const DAYS: std::ops::RangeInclusive<i64> = 1..=365;

#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyView {
    #[schema(example = "key_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    name: String,
    /// Enough to recognise it.
    #[schema(example = "souk_AbCdEfGh")]
    prefix: String,
    scopes: Vec<String>,
    user_id: String,
    created_at: String,
    expires_at: String,
    /// To the minute.
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

impl From<ApiKey> for ApiKeyView {
    fn from(k: ApiKey) -> Self {
        Self {
            id: k.id,
            name: k.name,
            prefix: k.prefix,
            scopes: k.scopes,
            user_id: k.user_id,
            created_at: time(k.created_at_us),
            expires_at: time(k.expires_at_us),
            last_used_at: maybe_time(k.last_used_at_us),
            revoked_at: maybe_time(k.revoked_at_us),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    items: Vec<ApiKeyView>,
}

/// The key itself is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyCreatedView {
    /// To be sent as `Authorization: Bearer`.
    #[schema(example = "souk_…")]
    key: String,
    #[serde(flatten)]
    api_key: ApiKeyView,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ApiKeyBody {
    #[schema(example = "warehouse scanner")]
    name: String,
    /// Permissions that you hold.
    #[schema(example = json!(["stock.read"]))]
    scopes: Vec<String>,
    /// Default 90.
    #[schema(nullable = false, minimum = 1, maximum = 365)]
    days: Option<i64>,
}

async fn of(site: &Site, user_id: String) -> Answer<Vec<ApiKey>> {
    let request = ListApiKeysRequest { user_id };
    Ok(site.clients.api_keys.clone().list_api_keys(request).await?.into_inner().items)
}

/// Your keys, also the revoked ones.
#[utoipa::path(get, path = "/api/me/api-keys", tag = "me",
    responses((status = 200, body = ApiKeyList)), security(("bearer" = [])))]
pub(crate) async fn list(State(site): State<Site>, _session: Session) -> Answer<Json<ApiKeyList>> {
    let items = of(&site, String::new()).await?.into_iter().map(ApiKeyView::from).collect();
    Ok(Json(ApiKeyList { items }))
}

/// Makes a key. Needs a fresh second factor.
#[utoipa::path(post, path = "/api/me/api-keys", tag = "me", request_body = ApiKeyBody,
    responses((status = 201, body = ApiKeyCreatedView),
        (status = 429, description = "too_many_keys: 20 are enough", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Response> {
    let name = body.required("name");
    body.needs("scopes");
    let scopes = body.strings("scopes").unwrap_or_default();
    let days = body.integer("days");
    if days.is_some_and(|days| !DAYS.contains(&days)) {
        body.breaks("days", "must be between 1 and 365");
    }
    body.finish()?;
    let days = days.and_then(|days| u32::try_from(days).ok()).unwrap_or_default();
    let request = CreateApiKeyRequest { name, scopes, days };
    let made = site.clients.api_keys.clone().create_api_key(request).await?.into_inner();
    let api_key = ApiKeyView::from(made.api_key.unwrap_or_default());
    let location = format!("/api/me/api-keys/{}", api_key.id);
    Ok(secret(created(&location, None, &ApiKeyCreatedView { key: made.key, api_key })))
}

/// Revokes one of your keys, at once.
#[utoipa::path(delete, path = "/api/me/api-keys/{id}", tag = "me", params(("id" = String, Path)),
    responses((status = 200, body = ApiKeyView)), security(("bearer" = [])))]
pub(crate) async fn revoke(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
) -> Answer<Json<ApiKeyView>> {
    revoke_one(&site, String::new(), id).await
}

/// Only of that owner: another's key is not at this address.
async fn revoke_one(site: &Site, user_id: String, id: String) -> Answer<Json<ApiKeyView>> {
    if !of(site, user_id).await?.iter().any(|key| key.id == id) {
        let sentence = "there is no such API key";
        return Err(Problem::new(StatusCode::NOT_FOUND, "api_key_not_found", sentence));
    }
    let request = RevokeApiKeyRequest { id };
    let gone = site.clients.api_keys.clone().revoke_api_key(request).await?.into_inner();
    Ok(Json(gone.into()))
}

/// Somebody's keys.
#[utoipa::path(get, path = "/api/users/{id}/api-keys", tag = "users",
    params(("id" = String, Path)),
    responses((status = 200, body = ApiKeyList)), security(("bearer" = [])))]
pub(crate) async fn list_of_user(
    State(site): State<Site>,
    _may: UsersReader,
    Path(id): Path<String>,
) -> Answer<Json<ApiKeyList>> {
    let items = of(&site, id).await?.into_iter().map(ApiKeyView::from).collect();
    Ok(Json(ApiKeyList { items }))
}

/// Revokes somebody's key, at once.
#[utoipa::path(delete, path = "/api/users/{id}/api-keys/{key_id}", tag = "users",
    params(("id" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, body = ApiKeyView)), security(("bearer" = [])))]
pub(crate) async fn revoke_of_user(
    State(site): State<Site>,
    _may: UsersWriter,
    Path((id, key_id)): Path<(String, String)>,
) -> Answer<Json<ApiKeyView>> {
    revoke_one(&site, id, key_id).await
}
