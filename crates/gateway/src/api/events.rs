//! Events on their way out of the services, readable.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use souk_proto::operations::v1::ListEventsRequest;
use utoipa::ToSchema;

use super::{Answer, maybe, maybe_time, time};
use crate::http::Site;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::OperationsReader;

/// An event of a service's outbox.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    event_id: String,
    event_type: String,
    subject: String,
    /// `waiting` or `sent`.
    status: String,
    attempts: u32,
    last_error: Option<String>,
    payload: String,
    headers: BTreeMap<String, String>,
    created_at: String,
    sent_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EventPage {
    items: Vec<EventView>,
    next_cursor: Option<String>,
}

/// The events of one service, newest first.
#[utoipa::path(get, path = "/api/admin/events", tag = "operations", params(
    ("service" = Option<String>, Query, description = "default catalog"),
    ("event_id" = Option<String>, Query, description = "only this one"),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = EventPage), (status = 404, body = Problem)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: OperationsReader,
    mut query: Query,
) -> Answer<Json<EventPage>> {
    let service = query.text("service").unwrap_or_else(|| "catalog".to_owned());
    let event_id = query.text("event_id").unwrap_or_default();
    let page = Some(query.page());
    query.finish()?;
    let client = site.clients.operations.iter().find(|(name, _)| *name == service);
    let (_, client) = client.ok_or_else(|| {
        let names: Vec<&str> = site.clients.operations.iter().map(|(name, _)| *name).collect();
        Problem::field("service", format!("must be one of {}", names.join(", ")))
    })?;
    let request = ListEventsRequest { page, event_id };
    let found = client.clone().list_events(request).await?.into_inner();
    let items = found.items.into_iter().map(|e| EventView {
        event_id: e.event_id,
        event_type: e.event_type,
        subject: e.subject,
        status: e.status,
        attempts: e.attempts,
        last_error: maybe(e.last_error),
        payload: e.payload,
        headers: e.headers.into_iter().collect(),
        created_at: time(e.created_at_us),
        sent_at: maybe_time(e.sent_at_us),
    });
    Ok(Json(EventPage { items: items.collect(), next_cursor: maybe(found.next_cursor) }))
}
