//! What is broken in the fields of a person, all at once and before anything is written.

use souk_auth::Caller;
use souk_rpc::Violation;
use souk_values::UserId;

use crate::Error;
use crate::app::App;
use crate::app::password::is_importable;
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
    let password = fields.password.is_some() || fields.password_hash.is_some();
    let given = [fields.username.is_some(), fields.email.is_some(), password];
    for (field, given) in ["username", "email", "password"].into_iter().zip(given) {
        if !given {
            broken.push(Broken::new(field, "is required"));
        }
    }
    if let Some(hash) = &fields.password_hash {
        broken.extend(check_hash(caller, fields, hash));
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
    if fields.password_hash.is_some() {
        broken.push(Broken::new("password_hash", "is taken for new users only"));
    }
    refuse(broken)?;
    Ok((changes, seen))
}

/// A hash that was brought along from elsewhere.
fn check_hash(caller: &Caller, fields: &Fields, hash: &str) -> Option<Broken> {
    let must = if !caller.is_operator() {
        "is taken from the operator only"
    } else if fields.password.is_some() {
        "cannot be given with a password"
    } else if !is_importable(hash) {
        "is no hash of Argon2id or bcrypt at a bearable cost"
    } else {
        return None;
    };
    Some(Broken::new("password_hash", must))
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
    let (changes, mut broken) = parse(app, fields).await?;
    if fields.email.is_some() {
        broken.retain(|b| b.field != "email");
        broken.push(Broken::new("email", "is changed at /api/me/email, with a code"));
    }
    let seen = account::find(newest(&app.db), id).await?;
    let (username, email) = seen.map(|seen| (seen.username, seen.email)).unwrap_or_default();
    let taken = changes.not_to_be_taken(&username, &email).into_iter();
    broken.extend(taken.filter(|broken| broken.field == "username"));
    for (field, given) in [
        ("password", fields.password.is_some()),
        ("password_hash", fields.password_hash.is_some()),
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
