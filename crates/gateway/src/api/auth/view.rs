//! What logging in is asked with and answered by.
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::SessionTokens;
use utoipa::ToSchema;

use crate::api::users::UserView;
use crate::api::{maybe, maybe_time};

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
    /// Of the app, or a recovery code, where the account has a second factor.
    #[schema(nullable = false)]
    second_factor_code: Option<String>,
    /// Another word for `second_factor_code`.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Stay logged in for weeks without a visit; else 30 minutes without one end the session.
    #[schema(nullable = false)]
    remember: Option<bool>,
    /// What the device is called; default: browser and system of `User-Agent`.
    #[schema(nullable = false, example = "Firefox on Linux")]
    device: Option<String>,
    /// From an earlier login on this device.
    #[schema(nullable = false)]
    device_token: Option<String>,
    /// For browsers: the session lives in a cookie, no token is answered. The request must come
    /// from the shop's own page.
    #[schema(nullable = false)]
    cookie: Option<bool>,
}

/// The same without a cookie.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct SourceLoginBody {
    /// Or `username`; when both are sent, both must be the same account's.
    #[schema(nullable = false)]
    email: Option<String>,
    #[schema(nullable = false)]
    username: Option<String>,
    password: String,
    #[schema(nullable = false)]
    second_factor_code: Option<String>,
    /// Another word for `second_factor_code`.
    #[schema(nullable = false)]
    code: Option<String>,
    #[schema(nullable = false)]
    remember: Option<bool>,
    #[schema(nullable = false)]
    device: Option<String>,
    #[schema(nullable = false)]
    device_token: Option<String>,
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
    session_id: Option<String>,
    /// When the session ends at the latest.
    session_expires_at: Option<String>,
    remember: bool,
    /// To be kept on the device and sent with its next login: it counts for 180 days, or as the
    /// setting says, and until a forgotten password is reset. Each login gives another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    /// The account must have a second factor: this session can enrol one and do nothing else.
    second_factor_enrolment_required: bool,
}

impl From<SessionTokens> for TokensView {
    fn from(tokens: SessionTokens) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            token_type: "Bearer",
            expires_in: tokens.expires_in_s,
            user: tokens.user.map(UserView::from),
            session_id: maybe(tokens.session_id),
            session_expires_at: maybe_time(tokens.session_expires_at_us),
            remember: tokens.remember,
            device_token: maybe(tokens.device_token),
            second_factor_enrolment_required: tokens.enrolment_required,
        }
    }
}

/// The same under the name that the first clients know.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceTokensView {
    #[serde(rename = "Token")]
    pub(super) token: String,
    #[serde(flatten)]
    pub(super) tokens: TokensView,
}

/// A session that lives in a cookie.
#[derive(Serialize, ToSchema)]
pub(crate) struct CookieSessionView {
    user: Option<UserView>,
    session_id: Option<String>,
    /// To be sent as `X-CSRF-Token` with everything that changes something.
    csrf_token: String,
    /// When the session ends at the latest.
    session_expires_at: Option<String>,
    remember: bool,
    /// The account must have a second factor: this session can enrol one and do nothing else.
    second_factor_enrolment_required: bool,
}

impl CookieSessionView {
    pub(super) fn new(tokens: SessionTokens, csrf_token: String) -> Self {
        Self {
            user: tokens.user.map(UserView::from),
            session_id: maybe(tokens.session_id),
            csrf_token,
            session_expires_at: maybe_time(tokens.session_expires_at_us),
            remember: tokens.remember,
            second_factor_enrolment_required: tokens.enrolment_required,
        }
    }
}

/// Tokens, or with `cookie` what a page needs beside its cookie.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LoginView {
    Tokens(TokensView),
    Cookie(CookieSessionView),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RefreshBody {
    refresh_token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct LogoutBody {
    /// Not needed where a cookie holds the session.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
}

/// Whether somebody is logged in, and who.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct WhoView {
    pub(super) authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<UserView>,
    /// When it ends at the latest: the session of a cookie, else the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
    /// Of a cookie's session: to be sent as `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) csrf_token: Option<String>,
    /// The session can enrol a second factor and do nothing else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) second_factor_enrolment_required: bool,
}
