//! Passwords, and the address that recovers them.
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    ChangePasswordRequest, ConfirmEmailChangeRequest, ForgotPasswordRequest,
    RequestEmailChangeRequest, ResetPasswordRequest,
};
use utoipa::ToSchema;

use super::auth::logins;
use super::sent::SentNames;
use super::users::UserView;
use super::{Answer, secret, tagged, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::{Session, as_nobody};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ForgotBody {
    /// Or `username`; when both are sent, both must be the same account's.
    #[schema(nullable = false)]
    email: Option<String>,
    #[schema(nullable = false)]
    username: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ResetBody {
    /// From the letter's link.
    token: String,
    /// The new one.
    #[schema(nullable = false)]
    password: Option<String>,
    /// Another word for `password`.
    #[schema(nullable = false)]
    new_password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ChangePasswordBody {
    current_password: String,
    new_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct EmailBody {
    /// The new one.
    email: String,
    current_password: String,
}

/// A change that waits for its code.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmailChangeView {
    /// Until then the code is good.
    expires_at: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct EmailCodeBody {
    /// From the letter to the new address.
    code: String,
}

/// Asks for a letter with a link that sets a new password. The answer is the same whether there is
/// such an account or not.
#[utoipa::path(post, path = "/api/auth/password/forgot", tag = "sessions",
    request_body = ForgotBody,
    responses((status = 202, description = "if there is such an account, a letter is on its way")))]
pub(crate) async fn forgot(State(site): State<Site>, mut body: Fields) -> Answer<StatusCode> {
    let mut names = SentNames::default();
    let (login, also_login) = logins(&mut body, &mut names);
    body.finish()?;
    let request = ForgotPasswordRequest { login, also_login };
    let mut credentials = site.clients.credentials.clone();
    names.settle(Vec::new(), as_nobody(credentials.forgot_password(request)).await)?;
    Ok(StatusCode::ACCEPTED)
}

/// Sets a new password by the token from the letter. All sessions and API keys end, and no device is
/// known any more; log in with the new password.
#[utoipa::path(post, path = "/api/auth/password/reset", tag = "sessions",
    request_body = ResetBody,
    responses((status = 204, description = "the new password is set"),
        (status = 404, description = "reset_not_found: unknown, used, or replaced by a newer one", body = Problem),
        (status = 410, description = "code_expired", body = Problem)))]
pub(crate) async fn reset(State(site): State<Site>, mut body: Fields) -> Answer<StatusCode> {
    let mut names = SentNames::default();
    let token = body.required("token");
    let name = body.alias(&["password", "new_password"]);
    names.note("new_password", name);
    let new_password = body.required(name);
    body.finish()?;
    let request = ResetPasswordRequest { token, new_password };
    let mut credentials = site.clients.credentials.clone();
    names.settle(Vec::new(), as_nobody(credentials.reset_password(request)).await)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes one's own password. Every other session ends, and a letter tells of it.
#[utoipa::path(post, path = "/api/auth/password/change", tag = "sessions",
    request_body = ChangePasswordBody,
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn change(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Response> {
    let current_password = body.required("current_password");
    let new_password = body.required("new_password");
    body.finish()?;
    let request = ChangePasswordRequest { current_password, new_password };
    let me = site.clients.credentials.clone().change_password(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, me.version, &UserView::from(me)))
}

/// Asks for another e-mail address: a code goes to the new one, a notice to the old one.
#[utoipa::path(post, path = "/api/me/email", tag = "me", request_body = EmailBody,
    responses((status = 202, body = EmailChangeView)), security(("bearer" = [])))]
pub(crate) async fn change_email(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Response> {
    let mut names = SentNames::default();
    names.note("new_email", "email");
    let new_email = body.required("email");
    let current_password = body.required("current_password");
    body.finish()?;
    let request = RequestEmailChangeRequest { new_email, current_password };
    let pending = site.clients.credentials.clone().request_email_change(request).await;
    let pending = names.settle(Vec::new(), pending)?;
    let view = EmailChangeView { expires_at: time(pending.expires_at_us) };
    Ok(secret((StatusCode::ACCEPTED, Json(view))))
}

/// Gives the code from the letter to the new address: from now on it counts. Every other session
/// ends, and a letter to the old address tells of it.
#[utoipa::path(post, path = "/api/me/email/confirm", tag = "me", request_body = EmailCodeBody,
    responses((status = 200, body = UserView),
        (status = 404, description = "email_change_not_found", body = Problem),
        (status = 409, description = "email_taken meanwhile", body = Problem),
        (status = 410, description = "code_expired", body = Problem),
        (status = 422, description = "wrong_code with `tries_left`, or broken fields", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn confirm_email(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Response> {
    let code = body.required("code");
    body.finish()?;
    let request = ConfirmEmailChangeRequest { code };
    let me = site.clients.credentials.clone().confirm_email_change(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, me.version, &UserView::from(me)))
}
