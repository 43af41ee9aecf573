//! Messages that no consumer could handle, of all services.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use futures::future::join_all;
use serde::Serialize;
use souk_proto::operations::v1::{
    DeadLetter, DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest,
    ReplayDeadLetterRequest,
};
use souk_proto::types::v1::PageRequest;
use utoipa::ToSchema;

use super::jobs::elsewhere;
use super::{Answer, maybe, maybe_time, time};
use crate::http::Site;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{OperationsReader, OperationsWriter};

/// A message that was given up.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetterView {
    id: String,
    service: String,
    queue: String,
    event_id: String,
    event_type: String,
    subject: String,
    reason: String,
    attempts: u32,
    parked_at: String,
    /// `parked`, `replayed` or `dropped`.
    status: String,
    /// Readable JSON, or hexadecimal when it cannot be decoded.
    payload: String,
    headers: BTreeMap<String, String>,
    decided_by: Option<String>,
    decided_at: Option<String>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(d: DeadLetter) -> Self {
        Self {
            id: d.id,
            service: d.service,
            queue: d.queue,
            event_id: d.event_id,
            event_type: d.event_type,
            subject: d.subject,
            reason: d.reason,
            attempts: d.attempts,
            parked_at: time(d.parked_at_us),
            status: d.status,
            payload: d.payload,
            headers: d.headers.into_iter().collect(),
            decided_by: maybe(d.decided_by),
            decided_at: maybe_time(d.decided_at_us),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetterList {
    items: Vec<DeadLetterView>,
    /// Always `null`: the list holds the newest `limit`.
    next_cursor: Option<String>,
}

/// The newest dead letters, of all services.
#[utoipa::path(get, path = "/api/admin/dead-letters", tag = "operations", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("status" = Option<String>, Query, description = "parked (default), replayed or dropped"),
), responses((status = 200, body = DeadLetterList)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: OperationsReader,
    mut query: Query,
) -> Answer<Json<DeadLetterList>> {
    let limit = query.limit();
    let status = query.text("status").unwrap_or_default();
    query.finish()?;
    let page = Some(PageRequest { limit, cursor: String::new() });
    let request = ListDeadLettersRequest { page, status };
    let asked = site.clients.operations.iter().map(|(_, client)| {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.list_dead_letters(request).await }
    });
    let mut items = Vec::new();
    for answer in join_all(asked).await {
        items.extend(answer?.into_inner().items);
    }
    items.sort_by_key(|letter| std::cmp::Reverse(letter.parked_at_us));
    items.truncate(if limit == 0 { 24 } else { limit as usize });
    let items = items.into_iter().map(DeadLetterView::from).collect();
    Ok(Json(DeadLetterList { items, next_cursor: None }))
}

/// One dead letter.
#[utoipa::path(get, path = "/api/admin/dead-letters/{id}", tag = "operations",
    params(("id" = String, Path)),
    responses((status = 200, body = DeadLetterView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: OperationsReader,
    Path(id): Path<String>,
) -> Answer<Json<DeadLetterView>> {
    for (_, client) in &site.clients.operations {
        match client.clone().get_dead_letter(GetDeadLetterRequest { id: id.clone() }).await {
            Ok(found) => return Ok(Json(found.into_inner().into())),
            Err(status) => elsewhere(status)?,
        }
    }
    Err(missing())
}

/// Hands the message to its consumer once more; what was done before is not done again.
#[utoipa::path(post, path = "/api/admin/dead-letters/{id}/replay", tag = "operations",
    params(("id" = String, Path)),
    responses((status = 200, body = DeadLetterView)), security(("bearer" = [])))]
pub(crate) async fn replay(
    State(site): State<Site>,
    _may: OperationsWriter,
    Path(id): Path<String>,
) -> Answer<Json<DeadLetterView>> {
    for (_, client) in &site.clients.operations {
        match client.clone().replay_dead_letter(ReplayDeadLetterRequest { id: id.clone() }).await {
            Ok(found) => return Ok(Json(found.into_inner().into())),
            Err(status) => elsewhere(status)?,
        }
    }
    Err(missing())
}

/// Gives the message up for good.
#[utoipa::path(delete, path = "/api/admin/dead-letters/{id}", tag = "operations",
    params(("id" = String, Path)),
    responses((status = 200, body = DeadLetterView)), security(("bearer" = [])))]
pub(crate) async fn drop(
    State(site): State<Site>,
    _may: OperationsWriter,
    Path(id): Path<String>,
) -> Answer<Json<DeadLetterView>> {
    for (_, client) in &site.clients.operations {
        match client.clone().drop_dead_letter(DropDeadLetterRequest { id: id.clone() }).await {
            Ok(found) => return Ok(Json(found.into_inner().into())),
            Err(status) => elsewhere(status)?,
        }
    }
    Err(missing())
}

fn missing() -> Problem {
    let sentence = "there is no such dead letter";
    Problem::new(http::StatusCode::NOT_FOUND, "dead_letter_not_found", sentence)
}
