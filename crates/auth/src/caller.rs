//! Who is calling.
use std::collections::BTreeSet;
use std::sync::Arc;

use souk_values::{SessionId, UserId};

use crate::Permission;

/// A person, as their access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub session: SessionId,
    pub role: String,
    pub permissions: BTreeSet<Permission>,
    /// Seconds since the epoch.
    pub expires_at: i64,
    /// Until when (seconds since the epoch) a second factor counts as just given; where none is
    /// asked for, as long as the token.
    pub fresh_until: i64,
    /// Must enrol a second factor before anything else.
    pub enrol_only: bool,
    /// A program acts for them, by an API key.
    pub by_key: bool,
}

/// The two identities of a call: the service that makes it, the person on whose behalf.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// "gateway", "notifier", …; "operator" for the command line.
    pub service: Option<Arc<str>>,
    pub user: Option<Arc<User>>,
}

impl Caller {
    pub fn service(name: &str) -> Self {
        Self { service: Some(name.into()), user: None }
    }

    /// The operator at the machine may do everything.
    pub fn is_operator(&self) -> bool {
        self.user.is_none() && self.service.as_deref() == Some("operator")
    }

    /// The user, if they are logged in themselves: what is their own is no program's.
    pub fn person(&self) -> Option<UserId> {
        self.user.as_ref().filter(|user| !user.by_key).map(|user| user.id)
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.is_operator()
            || self.user.as_ref().is_some_and(|u| u.permissions.contains(&permission))
    }

    /// Whether a second factor was given a moment ago, for what moves money or power. The operator
    /// needs none.
    pub fn is_fresh(&self, now: i64) -> bool {
        self.is_operator() || self.user.as_ref().is_some_and(|u| now < u.fresh_until)
    }

    /// For events and the audit: the user's id, else the service's name.
    pub fn actor(&self) -> String {
        match (&self.user, &self.service) {
            (Some(user), _) => user.id.to_string(),
            (None, Some(service)) => service.to_string(),
            (None, None) => "anonymous".to_owned(),
        }
    }
}
