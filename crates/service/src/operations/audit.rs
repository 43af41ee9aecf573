//! The audit on the wire: listed for those who may read it, verified for the operator.
use souk_audit::{Audit, Entry, Filter, NewEntry, Outcome};
use souk_proto::operations::v1::{
    AuditChange, AuditEntry, Breach, ListAuditRequest, ListAuditResponse, NoteRefusalsRequest,
    VerifyAuditResponse,
};
use souk_rpc::{Failure, Violation};
use souk_values::Page;

use super::{cursor, storage_failure};

pub(super) async fn list(
    service: &str,
    audit: &Audit,
    request: ListAuditRequest,
    page: &Page,
) -> Result<ListAuditResponse, Failure> {
    let filter = filter(request)?;
    let (items, next) = audit.list(&filter, page).await.map_err(storage_failure)?;
    Ok(ListAuditResponse {
        items: items.into_iter().map(|entry| to_proto(service, entry)).collect(),
        next_cursor: cursor(next),
    })
}

pub(super) async fn verify(audit: &Audit) -> Result<VerifyAuditResponse, Failure> {
    let verdict = audit.verify().await.map_err(storage_failure)?;
    let breach = |(subject, detail)| Breach { subject, detail };
    Ok(VerifyAuditResponse {
        rows: verdict.rows,
        first_seq: verdict.first_seq,
        last_seq: verdict.last_seq,
        last_hash: verdict.last_hash,
        unsealed: verdict.unsealed,
        breaches: verdict.breaches.into_iter().map(breach).collect(),
        broken: verdict.broken,
    })
}

/// Refusals of one call.
const MANY: usize = 500;

/// Keeps what the gateway refused.
pub(super) fn note(audit: &Audit, request: NoteRefusalsRequest) -> Result<(), Failure> {
    if request.items.len() > MANY {
        let sentence = format!("must be at most {MANY}");
        return Err(Failure::invalid(vec![Violation::new("items", sentence)]));
    }
    for refused in request.items {
        let actor = if refused.actor.is_empty() { "anonymous" } else { &refused.actor };
        let entry = NewEntry::new("http.refused", &refused.route)
            .actor(actor)
            .address(&refused.address)
            .trace(&refused.trace_id)
            .refused(&refused.reason);
        audit.note_some(entry);
    }
    Ok(())
}

fn filter(request: ListAuditRequest) -> Result<Filter, Failure> {
    let mut broken = Vec::new();
    let known = |outcome: &Outcome| outcome.as_str() == request.outcome;
    if !request.outcome.is_empty() && !Outcome::ALL.iter().any(known) {
        broken.push(Violation::new("outcome", "must be done, refused or failed"));
    }
    for (field, text) in
        [("actor", &request.actor), ("action", &request.action), ("target", &request.target)]
    {
        if text.chars().count() > 200 || text.chars().any(char::is_control) {
            broken.push(Violation::new(field, "must be one line of at most 200 characters"));
        }
    }
    if !broken.is_empty() {
        return Err(Failure::invalid(broken));
    }
    Ok(Filter {
        actor: request.actor,
        action: request.action,
        target: request.target,
        outcome: request.outcome,
        from_us: (request.from_us != 0).then_some(request.from_us),
        to_us: (request.to_us != 0).then_some(request.to_us),
    })
}

fn to_proto(service: &str, entry: Entry) -> AuditEntry {
    let change = |change: souk_audit::Change| AuditChange {
        field: change.field,
        before: change.before,
        after: change.after,
    };
    AuditEntry {
        id: entry.id.to_string(),
        service: service.to_owned(),
        seq: entry.seq.unwrap_or_default(),
        at_us: entry.at.timestamp_micros(),
        actor: entry.actor,
        via: entry.via,
        address: entry.address.unwrap_or_default(),
        action: entry.action,
        target: entry.target,
        outcome: entry.outcome,
        changes: entry.changes.into_iter().map(change).collect(),
        trace_id: entry.trace_id,
        reason: entry.reason,
    }
}
