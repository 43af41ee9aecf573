//! Logging in and out.
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    GetKeysRequest, LoginRequest, LogoutRequest, RefreshSessionRequest, SessionTokens,
};
use utoipa::ToSchema;

use super::{Answer, carts};
use crate::api::users::UserView;
use crate::http::Site;
use crate::http::edge::Peer;
use crate::http::json::Fields;
use crate::http::problem::Problem;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct LoginBody {
    /// Or `username`; when both are sent, both must be the same account's.
    #[schema(nullable = false)]
    email: Option<String>,
    #[schema(nullable = false)]
    username: Option<String>,
    password: String,
}

/// Tokens of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokensView {
    /// To be sent as `Authorization: Bearer`.
    access_token: String,
    /// Good for one refresh.
    refresh_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    user: Option<UserView>,
}

impl From<SessionTokens> for TokensView {
    fn from(tokens: SessionTokens) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            token_type: "Bearer",
            expires_in: tokens.expires_in_s,
            user: tokens.user.map(UserView::from),
        }
    }
}

/// The same under the name that the first clients know.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceTokensView {
    #[serde(rename = "Token")]
    token: String,
    #[serde(flatten)]
    tokens: TokensView,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RefreshBody {
    refresh_token: String,
}

/// Logs in by e-mail address or username. A guest's cart whose secret is sent along is added to the
/// user's cart and ends; carts of two currencies stay as they are.
#[utoipa::path(post, path = "/api/auth/login", tag = "sessions", request_body = LoginBody,
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart, to be merged into the user's")),
    responses((status = 200, body = TokensView), (status = 401, body = Problem)))]
pub(crate) async fn login(
    State(site): State<Site>,
    peer: axum::Extension<Peer>,
    headers: HeaderMap,
    body: Fields,
) -> Answer<Response> {
    let tokens = enter(&site, peer.0, body).await?;
    carts::bring(&site, &headers, &tokens.access_token).await;
    Ok(secret(Json(TokensView::from(tokens))))
}

/// The same, answering also as the marketplace's first API did.
#[utoipa::path(post, path = "/users/login", tag = "sessions", request_body = LoginBody,
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart, to be merged into the user's")),
    responses((status = 200, body = SourceTokensView), (status = 401, body = Problem)))]
pub(crate) async fn login_of_source(
    State(site): State<Site>,
    peer: axum::Extension<Peer>,
    headers: HeaderMap,
    body: Fields,
) -> Answer<Response> {
    let tokens = enter(&site, peer.0, body).await?;
    carts::bring(&site, &headers, &tokens.access_token).await;
    let token = tokens.access_token.clone();
    Ok(secret(Json(SourceTokensView { token, tokens: tokens.into() })))
}

async fn enter(site: &Site, Peer(peer): Peer, mut body: Fields) -> Answer<SessionTokens> {
    let (email, username) = (body.string("email"), body.string("username"));
    let password = body.required("password");
    if email.is_none() && username.is_none() {
        body.breaks("email", "is required, or username");
    }
    body.finish()?;
    let (login, also_login) = match (email, username) {
        (Some(email), also) => (email, also.unwrap_or_default()),
        (None, name) => (name.unwrap_or_default(), String::new()),
    };
    let address = crate::http::limit::network(peer.ip()).to_string();
    let request = LoginRequest { login, password, address, also_login };
    Ok(site.clients.sessions.clone().login(request).await?.into_inner())
}

/// Trades a refresh token for new tokens. A refresh token that was used before ends its session.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "sessions", request_body = RefreshBody,
    responses((status = 200, body = TokensView), (status = 401, body = Problem)))]
pub(crate) async fn refresh(State(site): State<Site>, mut body: Fields) -> Answer<Response> {
    let refresh_token = body.required("refresh_token");
    body.finish()?;
    let request = RefreshSessionRequest { refresh_token };
    let tokens = site.clients.sessions.clone().refresh_session(request).await?.into_inner();
    Ok(secret(Json(TokensView::from(tokens))))
}

/// Ends the session of a refresh token; ending it twice is fine.
#[utoipa::path(post, path = "/api/auth/logout", tag = "sessions", request_body = RefreshBody,
    responses((status = 204, description = "ended")))]
pub(crate) async fn logout(State(site): State<Site>, mut body: Fields) -> Answer<StatusCode> {
    let refresh_token = body.required("refresh_token");
    body.finish()?;
    site.clients.sessions.clone().logout(LogoutRequest { refresh_token }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The public keys of access tokens (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "sessions",
    responses((status = 200, body = serde_json::Value, content_type = "application/json")))]
pub(crate) async fn keys(State(site): State<Site>) -> Answer<Response> {
    let keys = site.clients.sessions.clone().get_keys(GetKeysRequest {}).await?.into_inner();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    Ok((headers, keys.jwks_json).into_response())
}

fn secret(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
