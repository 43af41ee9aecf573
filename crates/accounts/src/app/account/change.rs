//! Laying changes over an account, and naming what really changed.

use crate::domain::account::Changes;
use crate::store::account::Model;

/// The account with the changes, and the names of the fields that differ. `hash` is there when the
/// password does.
pub(in crate::app) fn apply(
    changes: &Changes,
    hash: Option<String>,
    mut account: Model,
) -> (Model, Vec<&'static str>) {
    let mut named = Vec::new();
    if let Some(username) = &changes.username
        && username.as_str() != account.username
    {
        account.username = username.as_str().to_owned();
        account.username_folded = username.folded();
        named.push("username");
    }
    if let Some(email) = &changes.email
        && email.as_str() != account.email
    {
        account.email = email.as_str().to_owned();
        account.email_folded = email.folded();
        named.push("email");
    }
    if let Some(full_name) = &changes.full_name
        && full_name.as_str() != account.full_name
    {
        account.full_name = full_name.as_str().to_owned();
        named.push("full_name");
    }
    if let Some(hash) = hash {
        account.password_hash = hash;
        named.push("password");
    }
    if let Some(role) = &changes.role
        && *role != account.role
    {
        account.role.clone_from(role);
        named.push("role");
    }
    if let Some(active) = changes.active
        && active != account.active
    {
        account.active = active;
        named.push("active");
    }
    account.index();
    (account, named)
}
