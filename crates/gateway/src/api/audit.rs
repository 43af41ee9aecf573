//! Who did what, in all services.
use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use serde::Serialize;
use souk_proto::operations::v1::{AuditEntry, ListAuditRequest};
use souk_values::{AuditId, Cursor};
use utoipa::ToSchema;

use super::{Answer, maybe, time};
use crate::http::Site;
use crate::http::query::Query;
use crate::http::session::AuditReader;

/// One thing that somebody did, or tried to do.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntryView {
    id: String,
    service: String,
    /// Place in the service's chain; `null` until it is sealed, within a second.
    seq: Option<u64>,
    at: String,
    /// A user's id, the name of a service, `operator` or `anonymous`.
    actor: String,
    /// The service that called.
    via: Option<String>,
    /// Network of the client; `null`: unknown or erased.
    address: Option<String>,
    /// Such as `product.changed` or `login.failed`.
    action: String,
    /// Such as `product/prd_…`.
    target: String,
    /// `done`, `refused` or `failed`.
    outcome: String,
    /// Why it was refused or failed: a code.
    reason: Option<String>,
    /// Empty also when the values were erased.
    changes: Vec<AuditChangeView>,
    trace_id: Option<String>,
}

/// One field before and after.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditChangeView {
    field: String,
    before: String,
    after: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    items: Vec<AuditEntryView>,
    next_cursor: Option<String>,
}

impl From<AuditEntry> for AuditEntryView {
    fn from(e: AuditEntry) -> Self {
        let changes = e.changes.into_iter().map(|c| AuditChangeView {
            field: c.field,
            before: c.before,
            after: c.after,
        });
        Self {
            id: e.id,
            service: e.service,
            seq: (e.seq != 0).then_some(e.seq),
            at: time(e.at_us),
            actor: e.actor,
            via: maybe(e.via),
            address: maybe(e.address),
            action: e.action,
            target: e.target,
            outcome: e.outcome,
            reason: maybe(e.reason),
            changes: changes.collect(),
            trace_id: maybe(e.trace_id),
        }
    }
}

/// Who changed what, who was refused, in all services; newest first.
#[utoipa::path(get, path = "/api/admin/audit", tag = "operations", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("actor" = Option<String>, Query, description = "a user's id, the name of a service, `operator` or `anonymous`"),
    ("action" = Option<String>, Query, description = "whole, or a beginning with a dot: `login.`"),
    ("target" = Option<String>, Query, description = "such as `product/prd_…`"),
    ("outcome" = Option<String>, Query, description = "done, refused or failed"),
    ("from" = Option<String>, Query, description = "a time such as 2026-11-21T08:00:00Z, or a date"),
    ("to" = Option<String>, Query, description = "exclusive"),
    ("service" = Option<String>, Query, description = "only of this service"),
), responses((status = 200, body = AuditPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: AuditReader,
    mut query: Query,
) -> Answer<Json<AuditPage>> {
    let page = query.page();
    let most = if page.limit == 0 { souk_values::DEFAULT_LIMIT } else { page.limit } as usize;
    let request = ListAuditRequest {
        page: Some(page),
        actor: query.text("actor").unwrap_or_default(),
        action: query.text("action").unwrap_or_default(),
        target: query.text("target").unwrap_or_default(),
        outcome: query.text("outcome").unwrap_or_default(),
        from_us: query.time("from").unwrap_or_default(),
        to_us: query.time("to").unwrap_or_default(),
    };
    let service = query.text("service");
    let known = |name: &String| site.clients.operations.iter().any(|(known, _)| known == name);
    if service.as_ref().is_some_and(|name| !known(name)) {
        query.breaks("service", "must be the name of a service that keeps something");
    }
    query.finish()?;
    let wanted = |name: &str| service.as_ref().is_none_or(|service| service == name);
    let asked = site.clients.operations.iter().filter(|(name, _)| wanted(name));
    let asked = asked.map(|(_, client)| {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.list_audit(request).await }
    });
    let (mut items, mut more) = (Vec::new(), false);
    for answer in join_all(asked).await {
        let answer = answer?.into_inner();
        more |= !answer.next_cursor.is_empty();
        items.extend(answer.items);
    }
    // ids are made of the time, and print in their order: one cursor goes on in every service
    items.sort_unstable_by(|a, b| b.id.cmp(&a.id));
    more |= items.len() > most;
    items.truncate(most);
    let last = items.last().filter(|_| more).and_then(|last| last.id.parse::<AuditId>().ok());
    let next_cursor = last.map(|id| Cursor::encode(&id).as_str().to_owned());
    let items = items.into_iter().map(AuditEntryView::from).collect();
    Ok(Json(AuditPage { items, next_cursor }))
}
