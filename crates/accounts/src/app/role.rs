//! Roles: sets of permissions, made and changed by those who hold them.

use std::collections::{BTreeMap, BTreeSet};

use souk_audit::NewEntry;
use souk_auth::{Caller, Permission};
use souk_events::NewEvent;
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{SessionId, UserId};

use super::App;
use super::session::{Ended, tell};
use crate::Error;
use crate::domain::role::{ADMIN, CUSTOMER, is_name};
use crate::domain::session::Reason;
use crate::store::role::{self, Model, Roles};
use crate::store::{account, api_key, session};

/// A new role of permissions that the caller holds.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    name: &str,
    permissions: &[String],
) -> Result<Model, Error> {
    app.admit(caller).await?;
    let wanted = read(Some(name), permissions)?;
    check_held(caller, &wanted)?;
    let made = Model { name: name.to_owned(), number: None, permissions: words(&wanted) };
    let tx = app.db.begin().await?;
    role::insert(&tx, made.clone()).await?;
    let none = BTreeSet::new();
    app.commit(tx, entry("role.created", name, &none, &wanted)).await?;
    tracing::info!(role = name, permissions = ?wanted, actor = caller.actor(), "role made");
    Ok(made)
}

/// Other permissions for everybody with the role, at once: who loses any must log in again.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    name: &str,
    permissions: &[String],
) -> Result<Model, Error> {
    app.admit(caller).await?;
    let wanted = read(None, permissions)?;
    if name == ADMIN {
        return Err(Error::RoleFixed);
    }
    let tx = app.db.begin().await?;
    let before = role::find_for_update(&tx, name).await?.ok_or(Error::RoleNotFound)?;
    let held = before.permissions();
    check_held(caller, &wanted.symmetric_difference(&held).copied().collect())?;
    if wanted == held {
        return Ok(before);
    }
    let after = Model { permissions: words(&wanted), ..before };
    role::update(&tx, name, after.permissions.clone()).await?;
    let ended = if held.is_subset(&wanted) {
        Ended::default()
    } else {
        end_holders(app, &tx, name).await?
    };
    let entry = entry("role.changed", name, &held, &wanted);
    app.commit(tx, (ended.events, entry)).await?;
    app.revoke(&ended.ids);
    tracing::info!(role = name, permissions = ?wanted, actor = caller.actor(), "role changed");
    Ok(after)
}

/// Removes a role that nobody has.
pub(crate) async fn delete(app: &App, caller: &Caller, name: &str) -> Result<Model, Error> {
    app.admit(caller).await?;
    if name == ADMIN || name == CUSTOMER {
        return Err(Error::RoleFixed);
    }
    let tx = app.db.begin().await?;
    let gone = role::find_for_update(&tx, name).await?.ok_or(Error::RoleNotFound)?;
    check_held(caller, &gone.permissions())?;
    if account::has_role(&tx, name).await? {
        return Err(Error::RoleInUse);
    }
    role::delete(&tx, name).await?;
    let none = BTreeSet::new();
    app.commit(tx, entry("role.deleted", name, &gone.permissions(), &none)).await?;
    tracing::info!(role = name, actor = caller.actor(), "role removed");
    Ok(gone)
}

/// Nobody gives, takes or changes power that they do not hold themselves: not a role's, and not
/// that of somebody who has the role.
pub(super) fn check_power(caller: &Caller, roles: &Roles, role: &str) -> Result<(), Error> {
    if caller.user.is_none() {
        return Ok(());
    }
    check_held(caller, &roles.permissions(role))
}

fn check_held(caller: &Caller, permissions: &BTreeSet<Permission>) -> Result<(), Error> {
    if permissions.iter().all(|&permission| caller.may(permission)) {
        Ok(())
    } else {
        Err(Error::BeyondOwnPermissions)
    }
}

/// Their sessions, and the tokens of their keys. People first, in order: no login of theirs gets
/// yesterday's permissions.
async fn end_holders(app: &App, tx: &Tx, role: &str) -> Result<Ended, Error> {
    account::lock_role(tx, role).await?;
    let mut ended = session::end_role(tx, role, app.clock.now()).await?;
    ended.extend(api_key::end_tokens_of_role(tx, role).await?);
    let mut by_user: BTreeMap<UserId, Vec<SessionId>> = BTreeMap::new();
    for (user, session) in &ended {
        by_user.entry(*user).or_default().push(*session);
    }
    let mut events: Vec<NewEvent> = Vec::new();
    for (user, ids) in by_user {
        events.extend(tell(app, tx, user, &ids, Reason::Role).await?);
    }
    Ok(Ended { ids: ended.into_iter().map(|(_, session)| session).collect(), events })
}

fn entry(
    action: &str,
    role: &str,
    before: &BTreeSet<Permission>,
    after: &BTreeSet<Permission>,
) -> NewEntry {
    let list = |set: &BTreeSet<Permission>| {
        set.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" ")
    };
    NewEntry::new(action, format!("role/{role}")).change("permissions", list(before), list(after))
}

fn words(permissions: &BTreeSet<Permission>) -> serde_json::Value {
    permissions.iter().map(ToString::to_string).collect()
}

/// Every broken field at once.
fn read(name: Option<&str>, permissions: &[String]) -> Result<BTreeSet<Permission>, Error> {
    let mut broken = Vec::new();
    if name.is_some_and(|name| !is_name(name)) {
        broken.push(Violation::new("name", "must have 2 to 32 of a-z, 0-9 and _"));
    }
    let wanted: Result<BTreeSet<Permission>, ()> = permissions.iter().map(|p| p.parse()).collect();
    match wanted {
        Ok(wanted) if broken.is_empty() => return Ok(wanted),
        Ok(_) => {}
        Err(()) => {
            broken.push(Violation::new("permissions", "must be permissions such as orders.read"));
        }
    }
    Err(Error::Invalid(broken))
}
