//! Passwords, and the address that recovers them.

use chrono::{DateTime, Utc};
use souk_auth::Caller;
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::{SessionId, UserId};

use super::account::refuse;
use super::mail::{self, NewMail, To};
use super::password::Check;
use super::{App, brake};
use crate::Error;
use crate::domain::account::{Broken, Changes, Password};
use crate::domain::mail::Kind;
use crate::store::account::Model;
use crate::store::{account, email_change, mail_request, newest, password_reset};

mod change;
mod email;
mod forgot;
mod reset;

pub(crate) use change::change;
pub(crate) use email::{confirm as confirm_email, request as request_email};
pub(crate) use forgot::forgot;
pub(crate) use reset::reset;

/// Whether this is the account's password, under the brake of the login: whoever finds a session
/// open guesses no faster than everybody else.
pub(super) async fn check_password(
    app: &App,
    account: &Model,
    password: &str,
) -> Result<(), Error> {
    let attempt = brake::admit(app, account.id.to_string(), "").await?;
    let check = match app.passwords.check(password, Some(&account.password_hash)).await {
        Ok(check) => check,
        Err(error) => {
            attempt.withdraw(app).await?;
            return Err(error);
        }
    };
    if check == Check::Wrong {
        attempt.failed(app).await?;
        return Err(Error::WrongPassword);
    }
    let tx = app.db.begin().await?;
    attempt.passed(&tx).await?;
    tx.commit().await?;
    Ok(())
}

/// The caller's own account, and the session in which they are.
async fn own(app: &App, caller: &Caller) -> Result<(Model, SessionId), Error> {
    app.admit(caller).await?;
    let user = caller.user.as_ref().ok_or(Error::NotLoggedIn)?;
    let account = account::find(newest(&app.db), user.id).await?.ok_or(Error::UserNotFound)?;
    Ok((account, user.session))
}

/// The account as it was when its password was found right, locked.
async fn unchanged(tx: &Tx, seen: &Model) -> Result<Model, Error> {
    let account = account::find_for_update(tx, seen.id).await?;
    let account = account.filter(|a| a.active && a.password_hash == seen.password_hash);
    account.ok_or(Error::WrongPassword)
}

/// A new password for this account, or what is broken in it and in `others`.
fn new_password(text: &str, account: &Model, others: Vec<Broken>) -> Result<Password, Error> {
    let mut broken = others;
    let parsed = Password::parse(text);
    let parsed = parsed.map_err(|error| broken.push(Broken::new("new_password", error))).ok();
    let changes = Changes { password: parsed, ..Changes::default() };
    if let Some(told) = changes.told(&account.username, &account.email) {
        broken.push(Broken { field: "new_password", ..told });
    }
    refuse(broken)?;
    changes.password.ok_or_else(|| Error::Invalid(Vec::new()))
}

/// A field that cannot be left out.
fn required(field: &'static str, text: &str) -> Option<Broken> {
    text.is_empty().then(|| Broken::new(field, "is required"))
}

/// Links and codes that were sent for this account are worth nothing any more: its password or its
/// address is another. The row of the account is locked.
pub(super) async fn end_letters(tx: &Tx, account: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    if let Some(letter) = email_change::delete(tx, account).await? {
        mail_request::end(tx, letter, now).await?;
    }
    end_links(tx, account, now).await
}

/// Links to a new password that were sent for this account are worth nothing any more.
async fn end_links(tx: &Tx, account: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    for letter in password_reset::end_all(tx, account, now).await? {
        mail_request::end(tx, letter, now).await?;
    }
    Ok(())
}

/// The letter that tells of a new password, and of how many API keys ended with the old one.
async fn password_changed(
    app: &App,
    tx: &Tx,
    account: UserId,
    keys: usize,
) -> Result<NewEvent, Error> {
    let (kind, to) = (Kind::PasswordChanged, To::Account(account));
    let facts = (keys > 0).then(|| ("revoked_api_keys", keys.to_string())).into_iter().collect();
    let mail = NewMail { kind, to, facts, expires_at: None };
    Ok(mail::request(app, tx, mail).await?.1)
}
