//! An entry as writers make it and as readers see it.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use souk_rpc::CallContext;
use souk_values::AuditId;

/// What became of what somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// They may not.
    Refused,
    /// They may, and it did not succeed.
    Failed,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// One field before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub field: String,
    /// Empty: there was none.
    pub before: String,
    pub after: String,
}

/// Longest value of a change, in characters: the audit tells of changes, it is no backup.
const VALUE: usize = 500;
/// Most changes of an entry.
const CHANGES: usize = 100;
/// Longest word of any other column, in characters.
const WORD: usize = 200;

/// What is to be kept: who, from where, did what to what, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub(crate) actor: String,
    pub(crate) via: String,
    pub(crate) address: Option<String>,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
    pub(crate) trace_id: String,
    pub(crate) changes: Vec<Change>,
}

impl NewEntry {
    /// Something that the call which is being handled has done: actor, address and trace are the
    /// call's. `action` is a noun and a past participle, "product.changed"; `target` a noun and an
    /// id, "product/prd_…".
    pub fn new(action: &str, target: impl Into<String>) -> Self {
        Self::of(&souk_rpc::current(), action, target)
    }

    /// The same for a call whose context was taken along: a task that was spawned has none.
    pub fn of(context: &CallContext, action: &str, target: impl Into<String>) -> Self {
        let caller = &context.caller;
        let request = || context.request_id.as_deref().map(str::to_owned);
        Self {
            actor: fit(&caller.actor(), WORD),
            via: fit(caller.service.as_deref().unwrap_or_default(), WORD),
            address: context.client.as_deref().map(|client| fit(client, WORD)),
            action: fit(action, WORD),
            target: fit(&target.into(), WORD),
            outcome: Outcome::Done,
            reason: String::new(),
            trace_id: fit(&souk_telemetry::trace_id().or_else(request).unwrap_or_default(), WORD),
            changes: Vec::new(),
        }
    }

    /// Something that a service has noticed by itself.
    pub fn by_service(service: &str, action: &str, target: impl Into<String>) -> Self {
        let caller = souk_auth::Caller::service(service);
        Self::of(&CallContext { caller, ..CallContext::default() }, action, target)
    }

    /// Who it was, where the call does not say it: a login begins without a user.
    #[must_use]
    pub fn actor(mut self, actor: impl ToString) -> Self {
        self.actor = fit(&actor.to_string(), WORD);
        self
    }

    /// From where, where somebody else knows it better than the call.
    #[must_use]
    pub fn address(mut self, address: &str) -> Self {
        self.address = (!address.is_empty()).then(|| fit(address, WORD));
        self
    }

    /// What finds it in logs, where somebody else knows it better than the call.
    #[must_use]
    pub fn trace(mut self, trace_id: &str) -> Self {
        self.trace_id = fit(trace_id, WORD);
        self
    }

    /// They may not; `reason` is a code.
    #[must_use]
    pub fn refused(mut self, reason: &str) -> Self {
        (self.outcome, self.reason) = (Outcome::Refused, fit(reason, WORD));
        self
    }

    /// It did not succeed; `reason` is a code.
    #[must_use]
    pub fn failed(mut self, reason: &str) -> Self {
        (self.outcome, self.reason) = (Outcome::Failed, fit(reason, WORD));
        self
    }

    /// One field before and after. What is the same is no change.
    #[must_use]
    pub fn change(mut self, field: &str, before: impl ToString, after: impl ToString) -> Self {
        let (before, after) = (before.to_string(), after.to_string());
        if before != after && self.changes.len() < CHANGES {
            self.changes.push(Change {
                field: fit(field, WORD),
                before: fit(&before, VALUE),
                after: fit(&after, VALUE),
            });
        }
        self
    }

    /// A field whose values nobody may read: a password, a key.
    #[must_use]
    pub fn secret(mut self, field: &str) -> Self {
        if self.changes.len() < CHANGES {
            let hidden = || "***".to_owned();
            let field = fit(field, WORD);
            self.changes.push(Change { field, before: hidden(), after: hidden() });
        }
        self
    }
}

/// At most so many characters, and no NUL: PostgreSQL takes none.
pub(crate) fn fit(text: &str, most: usize) -> String {
    let short = match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    if short.contains('\0') { short.replace('\0', "\u{fffd}") } else { short }
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: AuditId,
    /// Its place in the chain; `None`: not sealed yet.
    pub seq: Option<u64>,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub via: String,
    /// `None`: unknown, or erased.
    pub address: Option<String>,
    pub action: String,
    pub target: String,
    pub outcome: String,
    pub reason: String,
    pub trace_id: String,
    /// Empty also when they were erased.
    pub changes: Vec<Change>,
}

/// Which entries are wanted; empty texts and `None` are no wish.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub actor: String,
    /// Whole, or a beginning that ends with a dot: "login.".
    pub action: String,
    pub target: String,
    pub outcome: String,
    pub from_us: Option<i64>,
    /// Exclusive.
    pub to_us: Option<i64>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use souk_auth::{Caller, User};
    use souk_values::{SessionId, UserId};

    use super::*;

    #[tokio::test]
    async fn an_entry_takes_who_and_from_where_from_the_call() {
        let id = UserId::new();
        let user = User {
            id,
            session: SessionId::new(),
            role: "admin".into(),
            permissions: Default::default(),
            expires_at: 0,
            fresh_until: 0,
            enrol_only: false,
            by_key: false,
        };
        let context = CallContext {
            caller: Caller { service: Some("gateway".into()), user: Some(Arc::new(user)) },
            client: Some("192.0.2.1".into()),
            request_id: Some("r1".into()),
            ..CallContext::default()
        };
        let entry = souk_rpc::scope(context, async { NewEntry::new("a.b", "c/d") }).await;
        assert_eq!((entry.actor, entry.via.as_str()), (id.to_string(), "gateway"));
        assert_eq!(entry.address.as_deref(), Some("192.0.2.1"));
        assert_eq!(entry.trace_id, "r1");
        let nobody = NewEntry::new("a.b", "c/d");
        assert_eq!((nobody.actor.as_str(), nobody.address), ("anonymous", None));
    }

    #[test]
    fn what_is_the_same_is_no_change_and_long_values_are_cut() {
        let long = "é".repeat(600);
        let entry = NewEntry::new("a.b", "c/d\0").change("x", 1, 1).change("y", "", &long);
        assert_eq!(entry.changes.len(), 1);
        assert_eq!(entry.changes[0].after.chars().count(), 501);
        assert_eq!(entry.target, "c/d\u{fffd}");
        let full = (0..200).fold(entry, |entry, n| entry.change("z", n, n + 1));
        assert_eq!(full.changes.len(), 100);
    }
}
