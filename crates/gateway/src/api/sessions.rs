//! Where one is logged in: a session on each device.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::{
    EndAllSessionsRequest, EndSessionRequest, ListSessionsRequest, RenameSessionRequest,
};
use utoipa::ToSchema;

use super::auth::leave;
use super::{Answer, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::query::Query;
use crate::http::session::Session;

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    #[schema(example = "ses_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    #[schema(example = "Firefox on Linux")]
    device: String,
    /// Where it was used last.
    #[schema(example = "203.0.113.0/24")]
    network: String,
    created_at: String,
    last_used_at: String,
    /// At the latest.
    expires_at: String,
    /// The one that asks.
    current: bool,
    remember: bool,
}

impl From<pb::Session> for SessionView {
    fn from(s: pb::Session) -> Self {
        Self {
            id: s.id,
            device: s.device,
            network: s.network,
            created_at: time(s.created_at_us),
            last_used_at: time(s.last_used_at_us),
            expires_at: time(s.expires_at_us),
            current: s.current,
            remember: s.remember,
        }
    }
}

/// All of one's sessions, the newest use first.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    items: Vec<SessionView>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct DeviceBody {
    #[schema(example = "Ada's phone")]
    device: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EndedView {
    /// How many sessions ended.
    ended: u32,
}

/// Where one is logged in, the newest use first.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "sessions",
    responses((status = 200, body = SessionList)), security(("bearer" = [])))]
pub(crate) async fn list(State(site): State<Site>, _session: Session) -> Answer<Json<SessionList>> {
    let found = site.clients.devices.clone().list_sessions(ListSessionsRequest {}).await?;
    let items = found.into_inner().items.into_iter().map(SessionView::from).collect();
    Ok(Json(SessionList { items }))
}

/// Calls a device something.
#[utoipa::path(put, path = "/api/auth/sessions/{id}", tag = "sessions", request_body = DeviceBody,
    params(("id" = String, Path)),
    responses((status = 200, body = SessionView)), security(("bearer" = [])))]
pub(crate) async fn put(
    site: State<Site>,
    session: Session,
    id: Path<String>,
    body: Fields,
) -> Answer<Json<SessionView>> {
    patch(site, session, id, body).await
}

/// The same as PUT.
#[utoipa::path(patch, path = "/api/auth/sessions/{id}", tag = "sessions", request_body = DeviceBody,
    params(("id" = String, Path)),
    responses((status = 200, body = SessionView)), security(("bearer" = [])))]
pub(crate) async fn patch(
    State(site): State<Site>,
    _session: Session,
    Path(id): Path<String>,
    mut body: Fields,
) -> Answer<Json<SessionView>> {
    let device = body.required("device");
    body.finish()?;
    let request = RenameSessionRequest { id, device };
    Ok(Json(site.clients.devices.clone().rename_session(request).await?.into_inner().into()))
}

/// Logs a device out.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "sessions",
    params(("id" = String, Path)),
    responses((status = 200, body = SessionView)), security(("bearer" = [])))]
pub(crate) async fn end(
    State(site): State<Site>,
    session: Session,
    Path(id): Path<String>,
) -> Answer<Response> {
    let ended = site.clients.devices.clone().end_session(EndSessionRequest { id }).await?;
    let ended = SessionView::from(ended.into_inner());
    let own = ended.id == session.user.session.to_string();
    let mut response = Json(ended).into_response();
    if own {
        leave(&site, &session, &mut response).await;
    }
    Ok(response)
}

/// Logs out everywhere; with `keep_current` everywhere else.
#[utoipa::path(delete, path = "/api/auth/sessions", tag = "sessions", params(
    ("keep_current" = Option<bool>, Query, description = "default false"),
), responses((status = 200, body = EndedView)), security(("bearer" = [])))]
pub(crate) async fn end_all(
    State(site): State<Site>,
    session: Session,
    mut query: Query,
) -> Answer<Response> {
    let keep_current = query.boolean("keep_current").unwrap_or_default();
    query.finish()?;
    let request = EndAllSessionsRequest { keep_current };
    let ended = site.clients.devices.clone().end_all_sessions(request).await?.into_inner().ended;
    let mut response = Json(EndedView { ended }).into_response();
    if !keep_current {
        leave(&site, &session, &mut response).await;
    }
    Ok(response)
}
