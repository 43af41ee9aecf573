//! One's second factor: an app that makes codes, and recovery codes for when it is lost.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    BeginSecondFactorRequest, ConfirmSecondFactorRequest, GetSecondFactorRequest,
    RemoveSecondFactorRequest, ReplaceRecoveryCodesRequest, ResetSecondFactorRequest, SecondFactor,
    SessionTokens, VerifySecondFactorRequest,
};
use utoipa::ToSchema;

use super::{Answer, maybe_time, secret, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::{Enrolling, Session, UsersWriter};

/// Whether there is a second factor, and how it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactorView {
    enrolled: bool,
    /// The shop wants this account to have one.
    required: bool,
    recovery_codes_left: u32,
    /// Until then this session may do what needs a fresh second factor; `null`: give a code first.
    fresh_until: Option<String>,
}

impl From<SecondFactor> for SecondFactorView {
    fn from(s: SecondFactor) -> Self {
        Self {
            enrolled: s.enrolled,
            required: s.required,
            recovery_codes_left: s.recovery_codes_left,
            fresh_until: maybe_time(s.fresh_until_us),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct BeginSecondFactorBody {
    current_password: String,
}

/// What the app has to know; shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactorSecretView {
    /// To be typed into the app.
    secret: String,
    /// To be shown to the app as a QR code.
    #[schema(example = "otpauth://totp/Souk:ada?secret=JBSWY3DPEHPK3PXP&issuer=Souk")]
    otpauth_uri: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct SecondFactorCodeBody {
    /// Six digits of the app, or (to verify) a recovery code.
    code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RemoveSecondFactorBody {
    current_password: String,
    code: String,
}

/// The session after a code was given. With a cookie there are no tokens here: it goes on as it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerifiedView {
    /// Takes the place of the one before; the refresh token stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u32>,
    /// Until then this session may do what needs a fresh second factor.
    fresh_until: Option<String>,
}

/// Ten codes, each good once, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodesView {
    recovery_codes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ConfirmedView {
    /// Ten, each good once, shown once.
    recovery_codes: Vec<String>,
    #[serde(flatten)]
    session: VerifiedView,
}

/// Whether there is a second factor, and how it stands.
#[utoipa::path(get, path = "/api/me/second-factor", tag = "me",
    responses((status = 200, body = SecondFactorView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _who: Enrolling,
) -> Answer<Json<SecondFactorView>> {
    let mut factors = site.clients.second_factors.clone();
    let found = factors.get_second_factor(GetSecondFactorRequest {}).await?.into_inner();
    Ok(Json(found.into()))
}

/// Makes a secret for the app. It counts when a code of the app was confirmed.
#[utoipa::path(post, path = "/api/me/second-factor", tag = "me",
    request_body = BeginSecondFactorBody,
    responses((status = 200, body = SecondFactorSecretView),
        (status = 409, description = "second_factor_enrolled", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn begin(
    State(site): State<Site>,
    _who: Enrolling,
    mut body: Fields,
) -> Answer<Response> {
    let current_password = body.required("current_password");
    body.finish()?;
    let request = BeginSecondFactorRequest { current_password };
    let mut factors = site.clients.second_factors.clone();
    let begun = factors.begin_second_factor(request).await?.into_inner();
    let view =
        SecondFactorSecretView { secret: begun.secret_base32, otpauth_uri: begun.otpauth_uri };
    Ok(secret(Json(view)))
}

/// Gives the first code of the app: from now on the second factor counts.
#[utoipa::path(post, path = "/api/me/second-factor/confirm", tag = "me",
    request_body = SecondFactorCodeBody,
    responses((status = 200, body = ConfirmedView)), security(("bearer" = [])))]
pub(crate) async fn confirm(
    State(site): State<Site>,
    Enrolling(session): Enrolling,
    mut body: Fields,
) -> Answer<Response> {
    let code = body.required("code");
    body.finish()?;
    let mut factors = site.clients.second_factors.clone();
    let request = ConfirmSecondFactorRequest { code };
    let confirmed = factors.confirm_second_factor(request).await?.into_inner();
    let recovery_codes = confirmed.recovery_codes;
    let session = renewed(&site, &session, confirmed.tokens.unwrap_or_default()).await;
    Ok(secret(Json(ConfirmedView { recovery_codes, session })))
}

/// Gives a code again: for five minutes this session may do what moves money or power.
#[utoipa::path(post, path = "/api/me/second-factor/verify", tag = "me",
    request_body = SecondFactorCodeBody,
    responses((status = 200, body = VerifiedView)), security(("bearer" = [])))]
pub(crate) async fn verify(
    State(site): State<Site>,
    Enrolling(session): Enrolling,
    mut body: Fields,
) -> Answer<Response> {
    let code = body.required("code");
    body.finish()?;
    let mut factors = site.clients.second_factors.clone();
    let request = VerifySecondFactorRequest { code };
    let tokens = factors.verify_second_factor(request).await?.into_inner();
    Ok(secret(Json(renewed(&site, &session, tokens).await)))
}

/// The session has new rights. A browser's is asked about again with its next request.
async fn renewed(site: &Site, session: &Session, tokens: SessionTokens) -> VerifiedView {
    let user = site.verifier.verify(&tokens.access_token).await.ok();
    let fresh_until = user.map(|user| time(user.fresh_until * 1_000_000));
    if let Some(visit) = &session.visit {
        site.exchange.forget(visit.shown).await;
        return VerifiedView {
            access_token: None,
            token_type: None,
            expires_in: None,
            fresh_until,
        };
    }
    VerifiedView {
        access_token: Some(tokens.access_token),
        token_type: Some("Bearer"),
        expires_in: Some(tokens.expires_in_s),
        fresh_until,
    }
}

/// Makes ten new recovery codes; the ones before are worth nothing. Needs a fresh second factor.
#[utoipa::path(post, path = "/api/me/second-factor/recovery-codes", tag = "me",
    responses((status = 200, body = RecoveryCodesView)), security(("bearer" = [])))]
pub(crate) async fn replace_codes(State(site): State<Site>, _who: Enrolling) -> Answer<Response> {
    let mut factors = site.clients.second_factors.clone();
    let made = factors.replace_recovery_codes(ReplaceRecoveryCodesRequest {}).await?.into_inner();
    Ok(secret(Json(RecoveryCodesView { recovery_codes: made.codes })))
}

/// Takes the second factor away, by password and code. Needs a fresh second factor; not where the
/// shop wants one.
#[utoipa::path(delete, path = "/api/me/second-factor", tag = "me",
    request_body = RemoveSecondFactorBody,
    responses((status = 200, body = SecondFactorView)), security(("bearer" = [])))]
pub(crate) async fn remove(
    State(site): State<Site>,
    _who: Enrolling,
    mut body: Fields,
) -> Answer<Json<SecondFactorView>> {
    let current_password = body.required("current_password");
    let code = body.required("code");
    body.finish()?;
    let request = RemoveSecondFactorRequest { current_password, code };
    let mut factors = site.clients.second_factors.clone();
    Ok(Json(factors.remove_second_factor(request).await?.into_inner().into()))
}

/// Takes the second factor of somebody away who lost it. Their sessions end, a letter tells them.
/// Needs a fresh second factor of the admin.
#[utoipa::path(delete, path = "/api/users/{id}/second-factor", tag = "users",
    params(("id" = String, Path)),
    responses((status = 200, body = SecondFactorView)), security(("bearer" = [])))]
pub(crate) async fn reset(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
) -> Answer<Json<SecondFactorView>> {
    let request = ResetSecondFactorRequest { user_id: id };
    let mut factors = site.clients.second_factors.clone();
    Ok(Json(factors.reset_second_factor(request).await?.into_inner().into()))
}
