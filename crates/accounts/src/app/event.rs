//! What this service tells: who changed, never any of their data.

use souk_events::NewEvent;
use souk_events::registry::{
    BLOCK_CHANGED, SESSION_ENDED, USER_CHANGED, USER_CREATED, USER_DELETED,
};
use souk_proto::events::v1::{BlockChanged, SessionEnded, UserChanged};
use souk_values::{SessionId, UserId};

use crate::domain::session::Reason;
use crate::store::account::Model;
use crate::store::block;

/// Sessions that one event names at most: 1,000 ids take half of an event's bytes.
const SESSIONS: usize = 1000;

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

/// For [`tell`](super::session::tell): sessions of one person that ended by one change: one event for all of them. A session ends once,
/// so that the event bears the name of its first one, and its only version is 1.
pub(crate) fn sessions_ended(user: UserId, ids: &[SessionId], reason: Reason) -> Vec<NewEvent> {
    let told = ids.chunks(SESSIONS).filter_map(|some| some.first().map(|first| (first, some)));
    told.map(|(first, some)| {
        let message = SessionEnded {
            user_id: user.to_string(),
            reason: reason.as_str().to_owned(),
            session_ids: some.iter().map(ToString::to_string).collect(),
        };
        NewEvent::new(SESSION_ENDED, format!("session/{first}"), first.to_string(), 1, &message)
    })
    .collect()
}

/// A block began, or holds no more.
pub(crate) fn block_changed(block: &block::Model) -> NewEvent {
    let (kind, version) = if block.lifted_at.is_some() { ("lifted", 2) } else { ("created", 1) };
    let message = BlockChanged {
        block_id: block.id.to_string(),
        user_id: block.account_id.map(|id| id.to_string()).unwrap_or_default(),
        kind: kind.to_owned(),
    };
    let subject = format!("block/{}", block.id);
    NewEvent::new(BLOCK_CHANGED, subject, block.id.to_string(), version, &message)
}
