//! Who acts on other people's accounts, and on whose they may.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use souk_auth::{Caller, Permission};
use souk_values::UserId;

use crate::Error;
use crate::store::account::{self, Model};
use crate::store::block;
use crate::store::role::{self, Roles};

/// Whose name an act bears.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) name: String,
    /// None: it is no person, and not bound by what it holds.
    power: Option<BTreeSet<Permission>>,
}

impl Actor {
    pub(super) fn of(caller: &Caller) -> Self {
        let power = caller.user.as_ref().map(|user| user.permissions.clone());
        Self { name: caller.actor(), power }
    }

    /// No person.
    pub(super) fn service(name: &str) -> Self {
        Self { name: name.to_owned(), power: None }
    }

    /// What they held, for a job that acts later.
    pub(super) fn power(&self) -> Option<Vec<String>> {
        let power = self.power.as_ref()?;
        Some(power.iter().map(ToString::to_string).collect())
    }

    /// Somebody, with what they hold at this moment.
    pub(super) async fn now(
        db: &impl ConnectionTrait,
        id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        Ok(Self { name: id.to_string(), power: Some(held(db, id, now).await?) })
    }

    /// The same later: of what they held, what they hold still.
    pub(super) async fn later(
        db: &impl ConnectionTrait,
        name: &str,
        power: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let Some(power) = power else { return Ok(Self::service(name)) };
        let before: BTreeSet<Permission> =
            power.iter().filter_map(|word| word.parse().ok()).collect();
        let still = match name.parse::<UserId>() {
            Ok(id) => held(db, id, now).await?,
            Err(_) => BTreeSet::new(),
        };
        let power = before.intersection(&still).copied().collect();
        Ok(Self { name: name.to_owned(), power: Some(power) })
    }

    pub(super) fn is(&self, account: UserId) -> bool {
        self.name == account.to_string()
    }

    /// Whether they may act on others at all: later it is asked again.
    pub(super) fn check_entitled(&self) -> Result<(), Error> {
        match &self.power {
            Some(power) if !power.contains(&Permission::UsersWrite) => {
                Err(Error::BeyondOwnPermissions)
            }
            _ => Ok(()),
        }
    }

    /// Nobody shuts themselves out, nor whoever holds what they do not.
    pub(super) fn check(&self, roles: &Roles, account: &Model) -> Result<(), Error> {
        if self.is(account.id) {
            return Err(Error::OwnAccount);
        }
        let held = roles.permissions(&account.role);
        match &self.power {
            Some(power) if !held.is_subset(power) => Err(Error::BeyondOwnPermissions),
            _ => Ok(()),
        }
    }
}

/// What somebody holds at this moment: who may not come in holds nothing.
pub(crate) async fn held(
    db: &impl ConnectionTrait,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<BTreeSet<Permission>, Error> {
    let account = account::find(db, id).await?.filter(|account| account.active);
    match account {
        Some(account) if block::of_account(db, id, now).await?.is_none() => {
            Ok(role::all(db).await?.permissions(&account.role))
        }
        Some(_) | None => Ok(BTreeSet::new()),
    }
}

/// Whose things a call is about: one's own, or another's for whoever holds the permission; to others
/// there is nobody. What is its owner's own is no program's.
pub(super) fn owner(
    caller: &Caller,
    of: Option<UserId>,
    needed: Permission,
) -> Result<UserId, Error> {
    let own = caller.person();
    let owner = of.or(own).ok_or(match caller.user {
        Some(_) => Error::NotByApiKey,
        None => Error::NotLoggedIn,
    })?;
    if Some(owner) == own || caller.may(needed) { Ok(owner) } else { Err(Error::UserNotFound) }
}
