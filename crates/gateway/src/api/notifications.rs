//! The mail ledger: who was told what.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use souk_proto::notifier::v1::{GetLetterRequest, Letter, ListNotificationsRequest, Notification};
use utoipa::ToSchema;

use super::{Answer, maybe, maybe_time, time};
use crate::http::Site;
use crate::http::query::Query;
use crate::http::session::LedgerReader;

/// One event for one recipient.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationView {
    id: String,
    event_id: String,
    /// Of a product, …
    product_id: Option<String>,
    /// … or of an order.
    order_id: Option<String>,
    kind: String,
    recipient: String,
    /// `queued`, `sending`, `sent`, `failed` or `suppressed`.
    status: String,
    attempts: u32,
    /// The mail provider's name for the letter.
    provider_id: Option<String>,
    reason: Option<String>,
    /// Notifications of one digest share their letter.
    letter_id: Option<String>,
    created_at: String,
    sent_at: Option<String>,
}

impl From<Notification> for NotificationView {
    fn from(n: Notification) -> Self {
        Self {
            id: n.id,
            event_id: n.event_id,
            product_id: maybe(n.product_id),
            order_id: maybe(n.order_id),
            kind: n.kind,
            recipient: n.recipient,
            status: n.status,
            attempts: n.attempts,
            provider_id: maybe(n.provider_id),
            reason: maybe(n.reason),
            letter_id: maybe(n.letter_id),
            created_at: time(n.created_at_us),
            sent_at: maybe_time(n.sent_at_us),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationPage {
    items: Vec<NotificationView>,
    next_cursor: Option<String>,
}

/// How many notifications have each status.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationCounts {
    by_status: BTreeMap<String, u64>,
}

/// A letter as it was, or will be, sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct LetterView {
    id: String,
    recipient: String,
    subject: String,
    text: String,
    html: String,
    status: String,
    notifications: u32,
    digest: bool,
    created_at: String,
    sent_at: Option<String>,
}

impl From<Letter> for LetterView {
    fn from(l: Letter) -> Self {
        Self {
            id: l.id,
            recipient: l.recipient,
            subject: l.subject,
            text: l.text,
            html: l.html,
            status: l.status,
            notifications: l.notifications,
            digest: l.digest,
            created_at: time(l.created_at_us),
            sent_at: maybe_time(l.sent_at_us),
        }
    }
}

fn wish(query: &mut Query) -> ListNotificationsRequest {
    ListNotificationsRequest {
        page: Some(query.page()),
        status: query.text("status").unwrap_or_default(),
        recipient: query.text("recipient").unwrap_or_default(),
        product_id: query.text("product_id").unwrap_or_default(),
        event_id: query.text("event_id").unwrap_or_default(),
        letter_id: query.text("letter_id").unwrap_or_default(),
        order_id: query.text("order_id").unwrap_or_default(),
    }
}

/// The mail ledger, newest first.
#[utoipa::path(get, path = "/api/admin/notifications", tag = "notifications", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("status" = Option<String>, Query, description = "queued, sending, sent, failed or suppressed"),
    ("recipient" = Option<String>, Query),
    ("product_id" = Option<String>, Query),
    ("order_id" = Option<String>, Query),
    ("event_id" = Option<String>, Query),
    ("letter_id" = Option<String>, Query),
), responses((status = 200, body = NotificationPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: LedgerReader,
    mut query: Query,
) -> Answer<Json<NotificationPage>> {
    let request = wish(&mut query);
    query.finish()?;
    let found = site.clients.letters.clone().list_notifications(request).await?.into_inner();
    Ok(Json(NotificationPage {
        items: found.items.into_iter().map(NotificationView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}

/// How many notifications have each status, with the filters of the list.
#[utoipa::path(get, path = "/api/admin/notifications/counts", tag = "notifications", params(
    ("status" = Option<String>, Query),
    ("recipient" = Option<String>, Query),
    ("product_id" = Option<String>, Query),
    ("order_id" = Option<String>, Query),
    ("event_id" = Option<String>, Query),
    ("letter_id" = Option<String>, Query),
), responses((status = 200, body = NotificationCounts)), security(("bearer" = [])))]
pub(crate) async fn counts(
    State(site): State<Site>,
    _may: LedgerReader,
    mut query: Query,
) -> Answer<Json<NotificationCounts>> {
    let request = wish(&mut query);
    query.finish()?;
    let found = site.clients.letters.clone().count_notifications(request).await?.into_inner();
    Ok(Json(NotificationCounts { by_status: found.by_status.into_iter().collect() }))
}

/// One letter, with its text.
#[utoipa::path(get, path = "/api/admin/letters/{id}", tag = "notifications",
    params(("id" = String, Path)),
    responses((status = 200, body = LetterView)), security(("bearer" = [])))]
pub(crate) async fn letter(
    State(site): State<Site>,
    _may: LedgerReader,
    Path(id): Path<String>,
) -> Answer<Json<LetterView>> {
    let found = site.clients.letters.clone().get_letter(GetLetterRequest { id }).await?;
    Ok(Json(found.into_inner().into()))
}
