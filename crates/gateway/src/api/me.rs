//! One's own account.
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{GetMeRequest, UpdateMeRequest};
use souk_proto::notifier::v1::{GetPreferencesRequest, Preferences, SetPreferencesRequest};
use utoipa::ToSchema;

use super::{Answer, tagged};
use crate::api::users::{self, Read, UserView};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::session::Session;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct MeBody {
    #[schema(nullable = false)]
    username: Option<String>,
    #[schema(nullable = false)]
    full_name: Option<String>,
    /// Another word for `full_name`.
    #[schema(nullable = false)]
    fullname: Option<String>,
}

/// What one wants to be told by mail.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreferencesView {
    /// Letters about product changes and low stock (admins).
    product_notices: bool,
    /// Letters about new orders (admins).
    order_notices: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct PreferencesBody {
    #[schema(nullable = false)]
    product_notices: Option<bool>,
    #[schema(nullable = false)]
    order_notices: Option<bool>,
}

/// One's own account.
#[utoipa::path(get, path = "/api/me", tag = "me", responses((status = 200, body = UserView)),
    security(("bearer" = [])))]
pub(crate) async fn get(State(site): State<Site>, _session: Session) -> Answer<Response> {
    let me = site.clients.accounts.clone().get_me(GetMeRequest {}).await?.into_inner();
    Ok(tagged(StatusCode::OK, me.version, &UserView::from(me)))
}

/// Changes one's own names. The e-mail address changes by a code: `POST /api/me/email`.
#[utoipa::path(put, path = "/api/me", tag = "me", request_body = MeBody,
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn put(
    site: State<Site>,
    session: Session,
    seen: IfMatch,
    body: Fields,
) -> Answer<Response> {
    patch(site, session, seen, body).await
}

/// The same as PUT.
#[utoipa::path(patch, path = "/api/me", tag = "me", request_body = MeBody,
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn patch(
    State(site): State<Site>,
    _session: Session,
    IfMatch(expected_version): IfMatch,
    body: Fields,
) -> Answer<Response> {
    let Read { fields, names, broken } = users::fields(body);
    let check_only = !broken.is_empty();
    let request = UpdateMeRequest { fields: Some(fields), expected_version, check_only };
    let me = site.clients.accounts.clone().update_me(request).await;
    let me = names.settle(broken, me)?;
    Ok(tagged(StatusCode::OK, me.version, &UserView::from(me)))
}

/// What one wants to be told by mail.
#[utoipa::path(get, path = "/api/me/preferences", tag = "me",
    responses((status = 200, body = PreferencesView)), security(("bearer" = [])))]
pub(crate) async fn preferences(
    State(site): State<Site>,
    _session: Session,
) -> Answer<Json<PreferencesView>> {
    let found = site.clients.letters.clone().get_preferences(GetPreferencesRequest {}).await?;
    Ok(Json(view(found.into_inner())))
}

/// Mutes or unmutes letters about product changes or new orders for oneself.
#[utoipa::path(put, path = "/api/me/preferences", tag = "me", request_body = PreferencesBody,
    responses((status = 200, body = PreferencesView)), security(("bearer" = [])))]
pub(crate) async fn set_preferences(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Json<PreferencesView>> {
    let product_notices = body.boolean("product_notices");
    let order_notices = body.boolean("order_notices");
    body.finish()?;
    let request = SetPreferencesRequest { product_notices, order_notices };
    let set = site.clients.letters.clone().set_preferences(request).await?;
    Ok(Json(view(set.into_inner())))
}

fn view(preferences: Preferences) -> PreferencesView {
    PreferencesView {
        product_notices: preferences.product_notices,
        order_notices: preferences.order_notices,
    }
}
