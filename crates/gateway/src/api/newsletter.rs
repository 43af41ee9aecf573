//! The newsletter, for whoever wants it or wants it no more.
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    ConfirmSubscriptionRequest, GetConsentTextRequest, GetMySubscriptionRequest, MySubscription,
    SetMySubscriptionRequest, SubscribeRequest, UnsubscribeRequest,
};
use utoipa::ToSchema;

use super::{Answer, maybe, maybe_time, secret};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::{Session, as_nobody};

/// What a form must show to whoever asks for the newsletter.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsentTextView {
    /// To be sent along with the address.
    #[schema(example = "2026-11")]
    text_version: String,
    text: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct SubscribeBody {
    email: String,
    /// Of the text that was shown; default: the newest.
    #[schema(nullable = false)]
    text_version: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct LinkBody {
    /// From the link of a letter.
    token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct SubscriptionBody {
    subscribed: bool,
    /// Of the text that was shown; default: the newest.
    #[schema(nullable = false)]
    text_version: Option<String>,
}

/// The newsletter, for your own address.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriptionView {
    email: String,
    /// `none`, `pending` (a letter with a link waits in the mailbox) or `confirmed`.
    status: String,
    text_version: Option<String>,
    confirmed_at: Option<String>,
}

impl From<MySubscription> for SubscriptionView {
    fn from(s: MySubscription) -> Self {
        Self {
            email: s.email,
            status: s.status,
            text_version: maybe(s.text_version),
            confirmed_at: maybe_time(s.confirmed_at_us),
        }
    }
}

/// What people agree to who ask for the newsletter.
#[utoipa::path(get, path = "/api/newsletter", tag = "newsletter",
    responses((status = 200, body = ConsentTextView)))]
pub(crate) async fn text(State(site): State<Site>) -> Answer<Json<ConsentTextView>> {
    let mut newsletter = site.clients.newsletter.clone();
    let text = as_nobody(newsletter.get_consent_text(GetConsentTextRequest {})).await?;
    let text = text.into_inner();
    Ok(Json(ConsentTextView { text_version: text.version, text: text.text }))
}

/// Asks for the newsletter. A letter with a link goes to the address; it is sent nothing else before
/// the link was followed. The answer is the same whether the address is known or not.
#[utoipa::path(post, path = "/api/newsletter", tag = "newsletter", request_body = SubscribeBody,
    responses((status = 202, description = "unless it is confirmed already, a letter is on its way")))]
pub(crate) async fn subscribe(State(site): State<Site>, mut body: Fields) -> Answer<StatusCode> {
    let email = body.required("email");
    let text_version = body.string("text_version").unwrap_or_default();
    body.finish()?;
    let mut newsletter = site.clients.newsletter.clone();
    as_nobody(newsletter.subscribe(SubscribeRequest { email, text_version })).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Says yes by the token from the letter. The second time nothing happens.
#[utoipa::path(post, path = "/api/newsletter/confirm", tag = "newsletter",
    request_body = LinkBody,
    responses((status = 204, description = "the newsletter comes"),
        (status = 404, description = "newsletter_link_not_found: unknown, or a newer one counts", body = Problem),
        (status = 410, description = "code_expired", body = Problem)))]
pub(crate) async fn confirm(State(site): State<Site>, mut body: Fields) -> Answer<StatusCode> {
    let token = body.required("token");
    body.finish()?;
    say_yes(&site, token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the newsletter by the token from any of its letters. The second time nothing happens.
#[utoipa::path(post, path = "/api/newsletter/unsubscribe", tag = "newsletter",
    request_body = LinkBody,
    responses((status = 204, description = "it comes no more"),
        (status = 404, description = "newsletter_link_not_found", body = Problem)))]
pub(crate) async fn unsubscribe(State(site): State<Site>, mut body: Fields) -> Answer<StatusCode> {
    let token = body.required("token");
    body.finish()?;
    say_no(&site, token, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn say_yes(site: &Site, token: String) -> Answer<()> {
    let mut newsletter = site.clients.newsletter.clone();
    let request = ConfirmSubscriptionRequest { token };
    as_nobody(newsletter.confirm_subscription(request)).await?;
    Ok(())
}

/// `one_click`: by the button of a mail program.
pub(crate) async fn say_no(site: &Site, token: String, one_click: bool) -> Answer<()> {
    let mut newsletter = site.clients.newsletter.clone();
    as_nobody(newsletter.unsubscribe(UnsubscribeRequest { token, one_click })).await?;
    Ok(())
}

/// Whether the newsletter comes to your address.
#[utoipa::path(get, path = "/api/me/newsletter", tag = "me",
    responses((status = 200, body = SubscriptionView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _session: Session,
) -> Answer<Json<SubscriptionView>> {
    let request = GetMySubscriptionRequest {};
    let found = site.clients.newsletter.clone().get_my_subscription(request).await?;
    Ok(Json(found.into_inner().into()))
}

/// Asks for it, by a letter with a link, or ends it at once.
#[utoipa::path(put, path = "/api/me/newsletter", tag = "me", request_body = SubscriptionBody,
    responses((status = 200, body = SubscriptionView)), security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Response> {
    body.needs("subscribed");
    let subscribed = body.boolean("subscribed").unwrap_or_default();
    let text_version = body.string("text_version").unwrap_or_default();
    body.finish()?;
    let request = SetMySubscriptionRequest { subscribed, text_version };
    let set = site.clients.newsletter.clone().set_my_subscription(request).await?;
    Ok(secret(Json(SubscriptionView::from(set.into_inner()))))
}
