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

    pub fn may(&self, permission: Permission) -> bool {
        self.is_operator()
            || self.user.as_ref().is_some_and(|u| u.permissions.contains(&permission))
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
