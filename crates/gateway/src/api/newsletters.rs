//! Newsletters and who gets them, as staff see it.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    CountSubscribersRequest, EndSubscriptionRequest, ListSubscribersRequest, Subscriber,
};
use souk_proto::notifier::v1::{
    CreateNewsletterRequest, DeleteNewsletterRequest, GetNewsletterRequest, ListNewslettersRequest,
    Newsletter, NewsletterFields, SendNewsletterRequest, UpdateNewsletterRequest,
};
use utoipa::ToSchema;

use super::{Answer, created, maybe, maybe_time, tagged, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{LedgerReader, UsersReader, UsersWriter};

/// The record of a consent.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriberView {
    #[schema(example = "sub_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    email: String,
    /// `pending`, `confirmed` or `ended`.
    status: String,
    /// `form` or `account`.
    how: String,
    /// Which text they agreed to.
    text_version: String,
    asked_at: String,
    confirmed_at: Option<String>,
    ended_at: Option<String>,
    /// `link`, `one_click`, `account` or `staff`.
    ended_by: Option<String>,
}

impl From<Subscriber> for SubscriberView {
    fn from(s: Subscriber) -> Self {
        Self {
            id: s.id,
            email: s.email,
            status: s.status,
            how: s.how,
            text_version: s.text_version,
            asked_at: time(s.asked_at_us),
            confirmed_at: maybe_time(s.confirmed_at_us),
            ended_at: maybe_time(s.ended_at_us),
            ended_by: maybe(s.ended_by),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriberPage {
    items: Vec<SubscriberView>,
    next_cursor: Option<String>,
}

/// How many subscribers have each status.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriberCounts {
    by_status: BTreeMap<String, u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NewsletterView {
    #[schema(example = "nws_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    subject: String,
    text: String,
    with_products: bool,
    /// `draft`, `sending`, `sent`, `cancelled` or `failed`.
    status: String,
    version: u64,
    created_by: String,
    created_at: String,
    updated_at: String,
    job_id: Option<String>,
    sent_at: Option<String>,
}

impl From<Newsletter> for NewsletterView {
    fn from(n: Newsletter) -> Self {
        Self {
            id: n.id,
            subject: n.subject,
            text: n.text,
            with_products: n.with_products,
            status: n.status,
            version: n.version,
            created_by: n.created_by,
            created_at: time(n.created_at_us),
            updated_at: time(n.updated_at_us),
            job_id: maybe(n.job_id),
            sent_at: maybe_time(n.sent_at_us),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NewsletterPage {
    items: Vec<NewsletterView>,
    next_cursor: Option<String>,
}

/// A new one needs `subject` and `text`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct NewsletterBody {
    #[schema(nullable = false, max_length = 150)]
    subject: Option<String>,
    /// Plain text; an empty line begins a paragraph.
    #[schema(nullable = false, max_length = 20000)]
    text: Option<String>,
    /// Whether the five newest products stand below the text; default false.
    #[schema(nullable = false)]
    with_products: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct SendNewsletterBody {
    /// Seconds in which it can be cancelled before it begins; default: `notifier.newsletter.delay_s`.
    #[schema(nullable = false, minimum = 0)]
    delay_s: Option<i64>,
}

/// It will be sent, also after a crash.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewsletterOrdered {
    job_id: String,
    /// When it begins; until then cancelling leaves it a draft.
    run_at: String,
    /// Where its progress stands; DELETE cancels.
    status_url: String,
}

/// Who wants the newsletter, wanted it or was asked; newest first.
#[utoipa::path(get, path = "/api/admin/newsletter/subscribers", tag = "newsletter", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("status" = Option<String>, Query, description = "pending, confirmed or ended"),
    ("q" = Option<String>, Query, description = "part of the address"),
), responses((status = 200, body = SubscriberPage)), security(("bearer" = [])))]
pub(crate) async fn subscribers(
    State(site): State<Site>,
    _may: UsersReader,
    mut query: Query,
) -> Answer<Json<SubscriberPage>> {
    let request = ListSubscribersRequest {
        page: Some(query.page()),
        status: query.text("status").unwrap_or_default(),
        text: query.text("q").unwrap_or_default(),
    };
    query.finish()?;
    let named = |field: &str| (field == "text").then(|| "q".to_owned());
    let found = site.clients.newsletter.clone().list_subscribers(request).await;
    let found = found.map_err(|status| Problem::from(status).renamed(named))?.into_inner();
    Ok(Json(SubscriberPage {
        items: found.items.into_iter().map(SubscriberView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}

/// How many subscribers have each status.
#[utoipa::path(get, path = "/api/admin/newsletter/subscribers/counts", tag = "newsletter",
    responses((status = 200, body = SubscriberCounts)), security(("bearer" = [])))]
pub(crate) async fn subscriber_counts(
    State(site): State<Site>,
    _may: UsersReader,
) -> Answer<Json<SubscriberCounts>> {
    let request = CountSubscribersRequest {};
    let found = site.clients.newsletter.clone().count_subscribers(request).await?.into_inner();
    Ok(Json(SubscriberCounts { by_status: found.by_status.into_iter().collect() }))
}

/// Ends somebody's newsletter for them. The second time nothing happens.
#[utoipa::path(delete, path = "/api/admin/newsletter/subscribers/{id}", tag = "newsletter",
    params(("id" = String, Path)),
    responses((status = 200, body = SubscriberView)), security(("bearer" = [])))]
pub(crate) async fn end_subscription(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
) -> Answer<Json<SubscriberView>> {
    let request = EndSubscriptionRequest { id };
    let ended = site.clients.newsletter.clone().end_subscription(request).await?;
    Ok(Json(ended.into_inner().into()))
}

fn fields(body: &mut Fields) -> NewsletterFields {
    NewsletterFields {
        subject: body.string("subject"),
        text: body.string("text"),
        with_products: body.boolean("with_products"),
    }
}

/// Newsletters, newest first.
#[utoipa::path(get, path = "/api/admin/newsletters", tag = "newsletter", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = NewsletterPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: LedgerReader,
    mut query: Query,
) -> Answer<Json<NewsletterPage>> {
    let request = ListNewslettersRequest { page: Some(query.page()) };
    query.finish()?;
    let found = site.clients.newsletters.clone().list_newsletters(request).await?.into_inner();
    Ok(Json(NewsletterPage {
        items: found.items.into_iter().map(NewsletterView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}

/// Writes a newsletter. Nothing is sent yet.
#[utoipa::path(post, path = "/api/admin/newsletters", tag = "newsletter",
    request_body = NewsletterBody,
    responses((status = 201, body = NewsletterView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: UsersWriter,
    mut body: Fields,
) -> Answer<Response> {
    let fields = Some(fields(&mut body));
    body.finish()?;
    let request = CreateNewsletterRequest { fields };
    let made = site.clients.newsletters.clone().create_newsletter(request).await?.into_inner();
    let location = format!("/api/admin/newsletters/{}", made.id);
    Ok(created(&location, Some(made.version), &NewsletterView::from(made)))
}

/// One newsletter.
#[utoipa::path(get, path = "/api/admin/newsletters/{id}", tag = "newsletter",
    params(("id" = String, Path)),
    responses((status = 200, body = NewsletterView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: LedgerReader,
    Path(id): Path<String>,
) -> Answer<Response> {
    let request = GetNewsletterRequest { id };
    let found = site.clients.newsletters.clone().get_newsletter(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, found.version, &NewsletterView::from(found)))
}

/// Changes the given fields of a draft.
#[utoipa::path(put, path = "/api/admin/newsletters/{id}", tag = "newsletter",
    request_body = NewsletterBody,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = NewsletterView),
        (status = 409, description = "newsletter_not_draft", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    mut body: Fields,
) -> Answer<Response> {
    let fields = Some(fields(&mut body));
    body.finish()?;
    let request = UpdateNewsletterRequest { id, fields, expected_version };
    let changed = site.clients.newsletters.clone().update_newsletter(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, changed.version, &NewsletterView::from(changed)))
}

/// Throws a draft away.
#[utoipa::path(delete, path = "/api/admin/newsletters/{id}", tag = "newsletter",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = NewsletterView),
        (status = 409, description = "newsletter_not_draft", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
) -> Answer<Json<NewsletterView>> {
    let request = DeleteNewsletterRequest { id, expected_version };
    let gone = site.clients.newsletters.clone().delete_newsletter(request).await?;
    Ok(Json(gone.into_inner().into()))
}

/// Sends a draft to everybody who confirmed their address, or goes on where sending failed. Nobody
/// gets the same newsletter twice.
#[utoipa::path(post, path = "/api/admin/newsletters/{id}/send", tag = "newsletter",
    request_body = SendNewsletterBody,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 202, body = NewsletterOrdered),
        (status = 409, description = "newsletter_not_draft", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn send(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    mut body: Fields,
) -> Answer<Response> {
    let delay = body.integer("delay_s");
    let delay_s = delay.and_then(|delay| u32::try_from(delay).ok());
    if delay.is_some() && delay_s.is_none() {
        body.breaks("delay_s", "must be a number of seconds that is not negative");
    }
    body.finish()?;
    let request = SendNewsletterRequest { id, delay_s, expected_version };
    let ordered = site.clients.newsletters.clone().send_newsletter(request).await?.into_inner();
    let view = NewsletterOrdered {
        status_url: format!("/api/admin/jobs/{}", ordered.job_id),
        run_at: time(ordered.run_at_us),
        job_id: ordered.job_id,
    };
    let mut response = (StatusCode::ACCEPTED, Json(&view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&view.status_url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
