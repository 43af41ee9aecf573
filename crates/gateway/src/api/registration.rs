//! Becoming a customer: asked for, proven by a code from a letter.
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    ConfirmRegistrationRequest, PendingRegistration, RegisterRequest,
    ResendRegistrationCodeRequest, UserFields,
};
use utoipa::ToSchema;

use super::auth::address;
use super::sent::SentNames;
use super::users::UserView;
use super::{Answer, created, secret, time};
use crate::http::Site;
use crate::http::edge::Peer;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::as_nobody;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RegisterBody {
    username: String,
    email: String,
    password: String,
    #[schema(nullable = false)]
    full_name: Option<String>,
    /// Another word for `full_name`.
    #[schema(nullable = false)]
    fullname: Option<String>,
}

/// A registration that waits for its code.
#[derive(Serialize, ToSchema)]
pub(crate) struct RegistrationView {
    #[schema(example = "reg_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    registration_id: String,
    /// Until then the code is good.
    expires_at: String,
}

impl From<PendingRegistration> for RegistrationView {
    fn from(pending: PendingRegistration) -> Self {
        let expires_at = time(pending.expires_at_us);
        Self { registration_id: pending.registration_id, expires_at }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RegistrationCodeBody {
    registration_id: String,
    /// From the letter.
    code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ResendBody {
    registration_id: String,
}

/// Asks for an account. A code goes to the address; the account is there when it was given. Whether
/// the address is known is told to its owner only. 201 with the account where the shop needs no code.
#[utoipa::path(post, path = "/api/auth/register", tag = "sessions", request_body = RegisterBody,
    responses((status = 202, body = RegistrationView), (status = 201, body = UserView),
        (status = 409, description = "username_taken; email_taken where the shop needs no code", body = Problem)))]
pub(crate) async fn register(
    State(site): State<Site>,
    peer: axum::Extension<Peer>,
    mut body: Fields,
) -> Answer<Response> {
    let mut names = SentNames::default();
    let name = body.alias(&["full_name", "fullname"]);
    names.note("full_name", name);
    let fields = UserFields {
        username: body.string("username"),
        email: body.string("email"),
        full_name: body.string(name),
        password: body.string("password"),
        ..UserFields::default()
    };
    let broken = body.violations();
    let check_only = !broken.is_empty();
    let request = RegisterRequest { fields: Some(fields), address: address(peer.0), check_only };
    let mut registrations = site.clients.registrations.clone();
    let answer = names.settle(broken, as_nobody(registrations.register(request)).await)?;
    if let Some(user) = answer.user {
        return Ok(secret(created("/api/me", Some(user.version), &UserView::from(user))));
    }
    let pending = RegistrationView::from(answer.pending.unwrap_or_default());
    Ok(secret((StatusCode::ACCEPTED, Json(pending))))
}

/// Gives the code from the letter: now there is an account. Five wrong codes end the registration.
#[utoipa::path(post, path = "/api/auth/register/confirm", tag = "sessions",
    request_body = RegistrationCodeBody,
    responses((status = 201, body = UserView),
        (status = 404, description = "registration_not_found: unknown, confirmed, or too many wrong codes", body = Problem),
        (status = 409, description = "username_taken meanwhile", body = Problem),
        (status = 410, description = "code_expired", body = Problem),
        (status = 422, description = "wrong_code with `tries_left`, or broken fields", body = Problem)))]
pub(crate) async fn confirm(State(site): State<Site>, mut body: Fields) -> Answer<Response> {
    let registration_id = body.required("registration_id");
    let code = body.required("code");
    body.finish()?;
    let request = ConfirmRegistrationRequest { registration_id, code };
    let mut registrations = site.clients.registrations.clone();
    let user = as_nobody(registrations.confirm_registration(request)).await?.into_inner();
    Ok(secret(created("/api/me", Some(user.version), &UserView::from(user))))
}

/// Sends another code for the same registration: at most three, a minute apart.
#[utoipa::path(post, path = "/api/auth/register/resend", tag = "sessions",
    request_body = ResendBody,
    responses((status = 202, body = RegistrationView),
        (status = 404, description = "registration_not_found", body = Problem),
        (status = 429, description = "resend_limit", body = Problem)))]
pub(crate) async fn resend(State(site): State<Site>, mut body: Fields) -> Answer<Response> {
    let registration_id = body.required("registration_id");
    body.finish()?;
    let request = ResendRegistrationCodeRequest { registration_id };
    let mut registrations = site.clients.registrations.clone();
    let pending = as_nobody(registrations.resend_registration_code(request)).await?.into_inner();
    Ok(secret((StatusCode::ACCEPTED, Json(RegistrationView::from(pending))).into_response()))
}
