//! Sessions and users whose tokens count no more although they have not expired.
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use souk_values::{SessionId, UserId};

use crate::token::LEEWAY_S;
use crate::{AccessClaims, User};

/// How long a token may live after it was issued, by the latest clock (seconds).
const REMEMBER_S: i64 = AccessClaims::MAX_LIFETIME_S + 2 * LEEWAY_S;

/// Entries are forgotten when the last token they concern has expired by itself, so the size is
/// bounded by what happens in [`REMEMBER_S`].
#[derive(Default)]
pub(crate) struct Revocations(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    /// To the second at which it may be forgotten.
    sessions: HashMap<SessionId, i64>,
    /// To the second before which a token must not be issued, and the one at which it may be
    /// forgotten.
    users: HashMap<UserId, (i64, i64)>,
}

impl Revocations {
    pub(crate) fn revoke_session(&self, session: SessionId, now: i64) {
        self.revoke_sessions([session], now);
    }

    /// Those that are known already cost a look each.
    pub(crate) fn revoke_sessions(&self, sessions: impl IntoIterator<Item = SessionId>, now: i64) {
        let mut new: Vec<SessionId> = sessions.into_iter().collect();
        {
            let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
            new.retain(|id| !entries.sessions.contains_key(id));
        }
        if new.is_empty() {
            return;
        }
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.forget(now);
        entries.sessions.extend(new.into_iter().map(|id| (id, now + REMEMBER_S)));
    }

    pub(crate) fn revoke_user(&self, user: UserId, not_before: i64, now: i64) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.forget(now);
        let entry = entries.users.entry(user).or_insert((not_before, 0));
        entry.0 = entry.0.max(not_before);
        entry.1 = now + REMEMBER_S;
    }

    pub(crate) fn concern(&self, user: &User, issued_at: i64) -> bool {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.contains_key(&user.session)
            || entries.users.get(&user.id).is_some_and(|(not_before, _)| issued_at < *not_before)
    }
}

impl Entries {
    fn forget(&mut self, now: i64) {
        self.sessions.retain(|_, until| *until > now);
        self.users.retain(|_, (_, until)| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_no_longer_matter_is_forgotten() {
        let revocations = Revocations::default();
        revocations.revoke_session(SessionId::new(), 0);
        revocations.revoke_user(UserId::new(), 0, 0);
        revocations.revoke_session(SessionId::new(), REMEMBER_S);
        let entries = revocations.0.read().unwrap();
        assert_eq!((entries.sessions.len(), entries.users.len()), (1, 0));
    }

    #[test]
    fn a_session_that_is_told_again_is_not_remembered_for_longer() {
        let revocations = Revocations::default();
        let [one, two] = [SessionId::new(), SessionId::new()];
        revocations.revoke_sessions([one], 0);
        revocations.revoke_sessions([one, two], 100);
        let until = |session| revocations.0.read().unwrap().sessions.get(&session).copied();
        assert_eq!((until(one), until(two)), (Some(REMEMBER_S), Some(100 + REMEMBER_S)));
    }

    #[test]
    fn an_earlier_moment_does_not_weaken_a_later_one() {
        let user = User {
            id: UserId::new(),
            session: SessionId::new(),
            role: "customer".into(),
            permissions: Default::default(),
            expires_at: 1000,
            fresh_until: 1000,
            enrol_only: false,
            by_key: false,
        };
        let revocations = Revocations::default();
        revocations.revoke_user(user.id, 500, 500);
        revocations.revoke_user(user.id, 100, 501);
        assert!(revocations.concern(&user, 499));
        assert!(!revocations.concern(&user, 500));
    }
}
