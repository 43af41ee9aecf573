//! What is broken in the fields of a person, all at once and before anything is written.

use souk_auth::Caller;
use souk_rpc::Violation;
use souk_values::UserId;

use crate::Error;
use crate::app::App;
use crate::domain::account::{Broken, Changes, Fields};
use crate::store::account::{self, Model};
use crate::store::{newest, role};

/// The fields of a new user, in order.
pub(crate) async fn check_new(
    app: &App,
    caller: &Caller,
    fields: &Fields,
    key: &str,
) -> Result<Changes, Error> {
    app.admit(caller).await?;
    let (changes, mut broken) = parse(app, fields).await?;
    for (field, given) in
        [("username", &fields.username), ("email", &fields.email), ("password", &fields.password)]
    {
        if given.is_none() {
            broken.push(Broken::new(field, "is required"));
        }
    }
    if key.len() > 255 || key.chars().any(char::is_control) {
        broken.push(Broken::new("idempotency_key", "must have at most 255 printable characters"));
    }
    broken.extend(changes.told("", ""));
    refuse(broken)?;
    Ok(changes)
}

/// The fields of a change, in order, and the account as it is now.
pub(crate) async fn check_change(
    app: &App,
    caller: &Caller,
    id: UserId,
    fields: &Fields,
) -> Result<(Changes, Model), Error> {
    app.admit(caller).await?;
    let (changes, mut broken) = parse(app, fields).await?;
    let seen = account::find(newest(&app.db), id).await?.ok_or(Error::UserNotFound)?;
    broken.extend(changes.told(&seen.username, &seen.email));
    refuse(broken)?;
    Ok((changes, seen))
}

/// The fields that people may change about themselves, in order.
pub(crate) async fn check_me(app: &App, caller: &Caller, fields: &Fields) -> Result<(), Error> {
    let id = check_own(app, caller, fields).await?;
    check_change(app, caller, id, fields).await.map(drop)
}

/// Whose own account it is. What only others may change is broken here.
pub(super) async fn check_own(
    app: &App,
    caller: &Caller,
    fields: &Fields,
) -> Result<UserId, Error> {
    let id = caller.user.as_ref().ok_or(Error::NotLoggedIn)?.id;
    let mut broken = parse(app, fields).await?.1;
    for (field, given) in [
        ("password", fields.password.is_some()),
        ("role", fields.role.is_some()),
        ("active", fields.active.is_some()),
    ] {
        if given {
            broken.retain(|b| b.field != field);
            broken.push(Broken::new(field, "cannot be changed here"));
        }
    }
    refuse(broken)?;
    Ok(id)
}

pub(in crate::app) async fn parse(
    app: &App,
    fields: &Fields,
) -> Result<(Changes, Vec<Broken>), Error> {
    let roles = role::all(newest(&app.db)).await?;
    Ok(fields.parse(|text| roles.find(text)))
}

pub(in crate::app) fn refuse(broken: Vec<Broken>) -> Result<(), Error> {
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid(broken.into_iter().map(|b| Violation::new(b.field, b.message)).collect()))
}
