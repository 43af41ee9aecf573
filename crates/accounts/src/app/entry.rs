//! What the audit keeps of people: who came in and who did not, and fields before and after, never a
//! password.

use souk_audit::NewEntry;
use souk_values::{SessionId, UserId};

use super::login::Attempt;
use crate::Error;
use crate::domain::session::{Reason, network};
use crate::store::account::Model;
use crate::store::block::Model as Block;

/// What the target of an entry about a person is called.
pub(super) fn target(account: UserId) -> String {
    format!("user/{account}")
}

/// A change of an account; without `before` it is new.
pub(super) fn user(action: &str, before: Option<&Model>, after: &Model) -> NewEntry {
    let old = |of: fn(&Model) -> String| before.map(of).unwrap_or_default();
    let entry = NewEntry::new(action, target(after.id))
        .change("username", old(|a| a.username.clone()), &after.username)
        .change("email", old(|a| a.email.clone()), &after.email)
        .change("full_name", old(|a| a.full_name.clone()), &after.full_name)
        .change("role", old(|a| a.role.clone()), &after.role)
        .change("active", old(|a| a.active.to_string()), after.active);
    match before {
        Some(before) if before.password_hash != after.password_hash => entry.secret("password"),
        _ => entry,
    }
}

/// An account that is gone: who it was is gone, too.
pub(super) fn removed(before: &Model) -> NewEntry {
    NewEntry::new("user.removed", target(before.id)).change("role", &before.role, "")
}

/// A password that its owner chose anew.
pub(super) fn password(action: &str, account: UserId) -> NewEntry {
    NewEntry::new(action, target(account)).actor(account).secret("password")
}

/// Somebody came in.
pub(super) fn logged_in(account: UserId, session: SessionId, attempt: &Attempt) -> NewEntry {
    let entry = NewEntry::new("login.succeeded", target(account)).actor(account);
    from(entry, attempt).change("session", "", session)
}

/// Somebody did not come in: `account` is the one that they named, if there is one.
pub(super) fn not_logged_in(account: Option<UserId>, error: &Error, attempt: &Attempt) -> NewEntry {
    let target = account.map_or_else(|| "user".to_owned(), target);
    let entry = NewEntry::new("login.failed", target).actor("anonymous");
    from(entry, attempt).failed(error.reason())
}

/// The client's own network, which the gateway may tell beside the call, too.
fn from(entry: NewEntry, attempt: &Attempt) -> NewEntry {
    match network(&attempt.address) {
        Some(network) => entry.address(&network),
        None => entry,
    }
}

/// Sessions that ended by themselves, not with a change of their account.
pub(super) fn sessions_ended(account: UserId, sessions: &[SessionId], reason: Reason) -> NewEntry {
    let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    let entry = NewEntry::new("session.ended", target(account))
        .change("sessions", ids.join(" "), "")
        .change("reason", "", reason.as_str());
    match reason {
        // whoever holds the token is its owner, or is taken for them
        Reason::Logout => entry.actor(account),
        Reason::Reused => entry.refused("refresh_token_reused"),
        _ => entry,
    }
}

/// A block that was made or lifted. Networks are personal, so they stand among the values.
pub(super) fn block(action: &str, block: &Block, actor: &str) -> NewEntry {
    let target = block.account_id.map_or_else(|| format!("block/{}", block.id), target);
    let until = block.until.map(|until| until.to_rfc3339()).unwrap_or_default();
    NewEntry::new(action, target)
        .actor(actor)
        .change("block", "", block.id)
        .change("network", "", block.network.as_deref().unwrap_or_default())
        .change("reason", "", &block.reason)
        .change("until", "", until)
}
