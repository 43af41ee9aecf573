//! Logging in and out.
mod view;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use souk_proto::accounts::v1::{
    GetKeysRequest, GetMeRequest, LoginRequest, LogoutRequest, RefreshSessionRequest,
    SessionTokens, User,
};
use souk_rpc::{Failure, Kind};

use self::view::{
    CookieSessionView, LoginBody, LoginView, LogoutBody, RefreshBody, SourceLoginBody,
    SourceTokensView, TokensView, WhoView,
};
use super::sent::SentNames;
use super::users::UserView;
use super::{Answer, carts, maybe_time, secret};
use crate::http::edge::Peer;
use crate::http::json::{self, Fields};
use crate::http::problem::Problem;
use crate::http::session::{Enrolling, Session, as_nobody};
use crate::http::{Site, csrf, device};

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Logs in by e-mail address or username. A guest's cart whose secret is sent along is added to the
/// user's cart and ends; carts of two currencies stay as they are. 401 `second_factor_required`: the
/// password is right, send it again with a code.
#[utoipa::path(post, path = "/api/auth/login", tag = "sessions", request_body = LoginBody,
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart, to be merged into the user's")),
    responses((status = 200, body = LoginView), (status = 401, body = Problem),
        (status = 403, description = "csrf: `cookie` from another site; or the client's network is blocked", body = Problem)))]
pub(crate) async fn login(
    State(site): State<Site>,
    peer: axum::Extension<Peer>,
    headers: HeaderMap,
    mut body: Fields,
) -> Answer<Response> {
    let cookie = body.boolean("cookie").unwrap_or_default();
    if cookie && !site.origin.made(&headers) {
        return Err(csrf::refused());
    }
    let tokens = enter(&site, peer.0, &headers, body, cookie).await?;
    carts::bring(&site, &headers, &tokens.access_token).await;
    if cookie {
        return welcome(&site, &headers, tokens).await;
    }
    Ok(secret(Json(LoginView::Tokens(tokens.into()))))
}

/// The same, answering also as the marketplace's first API did.
#[utoipa::path(post, path = "/users/login", tag = "sessions", request_body = SourceLoginBody,
    params(("Souk-Cart" = Option<String>, Header, description = "secret of a guest's cart, to be merged into the user's")),
    responses((status = 200, body = SourceTokensView), (status = 401, body = Problem)))]
pub(crate) async fn login_of_source(
    State(site): State<Site>,
    peer: axum::Extension<Peer>,
    headers: HeaderMap,
    body: Fields,
) -> Answer<Response> {
    let tokens = enter(&site, peer.0, &headers, body, false).await?;
    carts::bring(&site, &headers, &tokens.access_token).await;
    let token = tokens.access_token.clone();
    Ok(secret(Json(SourceTokensView { token, tokens: tokens.into() })))
}

async fn enter(
    site: &Site,
    peer: Peer,
    headers: &HeaderMap,
    mut body: Fields,
    cookie: bool,
) -> Answer<SessionTokens> {
    let mut names = SentNames::default();
    let (login, also_login) = logins(&mut body, &mut names);
    let password = body.required("password");
    let code = body.alias(&["second_factor_code", "code"]);
    names.note("second_factor_code", code);
    let second_factor_code = body.string(code).unwrap_or_default();
    let remember = body.boolean("remember").unwrap_or_default();
    let device = body.string("device").filter(|name| !name.trim().is_empty());
    let shown = if cookie { site.cookies.device(headers) } else { None };
    let device_token = body.string("device_token").or(shown.map(str::to_owned));
    body.finish()?;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let request = LoginRequest {
        login,
        password,
        // without limits of addresses no network is braked either, only the account
        address: if site.config.rate_limit.enabled { address(peer) } else { String::new() },
        also_login,
        remember,
        device: device.unwrap_or_else(|| device::name(agent.unwrap_or_default())),
        second_factor_code,
        device_token: device_token.unwrap_or_default(),
        cookie,
    };
    let mut sessions = site.clients.sessions.clone();
    names.settle(Vec::new(), as_nobody(sessions.login(request)).await)
}

/// E-mail address, username or both: what somebody calls themselves, and what else.
pub(super) fn logins(body: &mut Fields, names: &mut SentNames) -> (String, String) {
    let (email, username) = (body.string("email"), body.string("username"));
    if email.is_none() && username.is_none() {
        body.breaks("email", "is required, or username");
    }
    names.note("also_login", "username");
    match (email, username) {
        (Some(email), also) => {
            names.note("login", "email");
            (email, also.unwrap_or_default())
        }
        (None, name) => {
            names.note("login", "username");
            (name.unwrap_or_default(), String::new())
        }
    }
}

/// Where the client is, for brakes and logs.
pub(super) fn address(Peer(peer): Peer) -> String {
    crate::http::limit::network(peer.ip()).to_string()
}

/// Gives a browser its cookies. Whoever logs in again leaves the session that they had.
async fn welcome(site: &Site, headers: &HeaderMap, tokens: SessionTokens) -> Answer<Response> {
    if let Some(before) = site.cookies.session(headers) {
        let request =
            LogoutRequest { session_secret: before.to_owned(), ..LogoutRequest::default() };
        // it ends by itself soon: no reason not to let somebody in
        if let Err(status) = as_nobody(site.clients.sessions.clone().logout(request)).await {
            tracing::info!(reason = Failure::from(status).reason, "session before not ended");
        }
    }
    let left_s = tokens.session_expires_at_us / 1_000_000 - site.verifier.now();
    let max_age = tokens.remember.then(|| u64::try_from(left_s).unwrap_or_default());
    let Some(session) = site.cookies.set_session(&tokens.session_secret, max_age) else {
        tracing::error!("accounts gave no secret that a cookie can hold");
        let sentence = "something went wrong";
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", sentence));
    };
    let known_s = u64::from(tokens.device_token_expires_in_s);
    let device = site.cookies.set_device(&tokens.device_token, known_s);
    let csrf_token = csrf::token(&tokens.session_secret);
    let mut response = secret(Json(LoginView::Cookie(CookieSessionView::new(tokens, csrf_token))));
    response.headers_mut().append(header::SET_COOKIE, session);
    if let Some(device) = device {
        response.headers_mut().append(header::SET_COOKIE, device);
    }
    Ok(response)
}

/// Trades a refresh token for new tokens. A refresh token that was used before ends its session.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "sessions", request_body = RefreshBody,
    responses((status = 200, body = TokensView), (status = 401, body = Problem)))]
pub(crate) async fn refresh(State(site): State<Site>, mut body: Fields) -> Answer<Response> {
    let refresh_token = body.required("refresh_token");
    body.finish()?;
    let request = RefreshSessionRequest { refresh_token };
    let mut sessions = site.clients.sessions.clone();
    let tokens = as_nobody(sessions.refresh_session(request)).await?.into_inner();
    Ok(secret(Json(TokensView::from(tokens))))
}

/// Ends the session of a refresh token, or of the browser's cookie; ending it twice is fine.
#[utoipa::path(post, path = "/api/auth/logout", tag = "sessions", request_body = Option<LogoutBody>,
    responses((status = 204, description = "ended")))]
pub(crate) async fn logout(
    State(site): State<Site>,
    headers: HeaderMap,
    who: Option<Enrolling>,
    request: Request,
) -> Answer<Response> {
    let bytes = json::body(request, &site).await?;
    let mut body = Fields::parse_optional(&headers, &bytes)?;
    let cookie = site.cookies.session(&headers);
    let refresh_token = match cookie {
        Some(_) => body.string("refresh_token").unwrap_or_default(),
        None => body.required("refresh_token"),
    };
    body.finish()?;
    let session_secret = cookie.unwrap_or_default().to_owned();
    let request = LogoutRequest { refresh_token, session_secret };
    as_nobody(site.clients.sessions.clone().logout(request)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(CLEAR_SITE_DATA, HeaderValue::from_static("\"cookies\""));
    if let Some(Enrolling(session)) = who {
        leave(&site, &session, &mut response).await;
    }
    Ok(response)
}

/// A browser's session has ended: nothing here remembers it. A no-op for other sessions.
pub(super) async fn leave(site: &Site, session: &Session, response: &mut Response) {
    let Some(visit) = &session.visit else { return };
    site.verifier.revoke_session(session.user.session);
    site.exchange.forget(visit.shown).await;
    if let Some(forget) = site.cookies.forget_session() {
        response.headers_mut().append(header::SET_COOKIE, forget);
    }
}

/// Whether somebody is logged in, and who: 200 in both cases, also for a token that is no good.
#[utoipa::path(get, path = "/api/auth/session", tag = "sessions",
    responses((status = 200, body = WhoView)))]
pub(crate) async fn session(
    State(site): State<Site>,
    headers: HeaderMap,
    who: Option<Enrolling>,
) -> Answer<Response> {
    let Some(Enrolling(session)) = who else { return Ok(secret(Json(WhoView::default()))) };
    let enrols = session.user.enrol_only;
    let (user, expires_at_us) = match &session.visit {
        Some(visit) => (visit.held.user.clone(), visit.held.expires_at_us),
        None if enrols => (None, session.user.expires_at * 1_000_000),
        None => match me(&site).await? {
            Some(user) => (Some(user), session.user.expires_at * 1_000_000),
            None => return Ok(secret(Json(WhoView::default()))),
        },
    };
    let secret_of = session.visit.as_ref().and_then(|_| site.cookies.session(&headers));
    Ok(secret(Json(WhoView {
        authenticated: true,
        user: user.map(UserView::from),
        expires_at: maybe_time(expires_at_us),
        csrf_token: secret_of.map(csrf::token),
        second_factor_enrolment_required: enrols,
    })))
}

/// `None`: accounts knows that the session is over.
async fn me(site: &Site) -> Answer<Option<User>> {
    match site.clients.accounts.clone().get_me(GetMeRequest {}).await {
        Ok(me) => Ok(Some(me.into_inner())),
        Err(status) => match Failure::from(status) {
            failure if matches!(failure.kind, Kind::Unauthenticated | Kind::Forbidden) => Ok(None),
            failure => Err(failure.into()),
        },
    }
}

/// The public keys of access tokens (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "sessions",
    responses((status = 200, body = serde_json::Value, content_type = "application/json")))]
pub(crate) async fn keys(State(site): State<Site>) -> Answer<Response> {
    let mut sessions = site.clients.sessions.clone();
    let keys = as_nobody(sessions.get_keys(GetKeysRequest {})).await?.into_inner();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    Ok((headers, keys.jwks_json).into_response())
}
