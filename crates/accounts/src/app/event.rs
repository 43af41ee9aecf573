//! What this service tells: who changed, never any of their data.

use souk_events::NewEvent;
use souk_events::registry::{SESSION_ENDED, USER_CHANGED, USER_CREATED, USER_DELETED};
use souk_proto::events::v1::{SessionEnded, UserChanged};

use crate::store::account::Model;
use crate::store::session;

/// The word in the event, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Created,
    Changed,
    Deleted,
}

/// `fields` are names.
pub(crate) fn user(kind: Kind, account: &Model, fields: &[&str], actor: String) -> NewEvent {
    let (event_type, word) = match kind {
        Kind::Created => (USER_CREATED, "created"),
        Kind::Changed => (USER_CHANGED, "changed"),
        Kind::Deleted => (USER_DELETED, "deleted"),
    };
    let version = u64::try_from(account.version).unwrap_or_default();
    let message = UserChanged {
        user_id: account.id.to_string(),
        version,
        kind: word.to_owned(),
        actor_id: actor,
        role: account.role.clone(),
        active: account.active,
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
    };
    let subject = format!("user/{}", account.id);
    NewEvent::new(event_type, subject, account.id.to_string(), version, &message)
}

/// A session ends once: its only version is 1.
pub(crate) fn logged_out(session: &session::Model) -> NewEvent {
    let message =
        SessionEnded { user_id: session.account_id.to_string(), reason: "logout".to_owned() };
    let subject = format!("session/{}", session.id);
    NewEvent::new(SESSION_ENDED, subject, session.id.to_string(), 1, &message)
}
