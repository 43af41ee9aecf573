//! New recovery codes; the end of a second factor, by its owner or by an admin.

use souk_audit::NewEntry;
use souk_auth::Caller;
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::UserId;

use super::enrol::new_codes;
use super::{Status, Taken, is_required, own, person, status_of, subject, take, target};
use crate::Error;
use crate::app::App;
use crate::app::account::check_power;
use crate::app::credential::check_password;
use crate::app::mail::{self, NewMail, To};
use crate::app::session::end_all;
use crate::domain::mail::Kind;
use crate::domain::session::Reason;
use crate::store::{account, brake, newest, recovery_code, second_factor};

/// Ten new recovery codes, shown once; the earlier ones are worth nothing any more.
pub(crate) async fn replace_recovery_codes(
    app: &App,
    caller: &Caller,
) -> Result<Vec<String>, Error> {
    app.admit(caller).await?;
    let tx = app.db.begin().await?;
    let (account, _) = own(app, &tx, caller).await?;
    if second_factor::enrolled(&tx, account.id).await?.is_none() {
        return Err(Error::SecondFactorNotEnrolled);
    }
    let codes = new_codes(app, &tx, account.id).await?;
    let told = letter(app, &tx, account.id, "recovery_codes").await?;
    let entry = NewEntry::new("second_factor.recovery_codes_replaced", target(account.id));
    app.commit(tx, (told, entry)).await?;
    tracing::info!(user.id = %account.id, "recovery codes replaced");
    Ok(codes)
}

/// The owner takes it away: by password and code, where nobody demands it. Every session ends.
pub(crate) async fn remove(
    app: &App,
    caller: &Caller,
    password: &str,
    code: &str,
) -> Result<Status, Error> {
    let seen = person(app, caller).await?;
    if is_required(app, newest(&app.db), &seen).await? {
        return Err(Error::SecondFactorMandatory);
    }
    check_password(app, &seen, password).await?;

    let tx = app.db.begin().await?;
    let (account, _) = own(app, &tx, caller).await?;
    if account.password_hash != seen.password_hash {
        return Err(Error::SessionEnded);
    }
    match take(app, &tx, account.id, code).await? {
        Taken::NotEnrolled => return Err(Error::SecondFactorNotEnrolled),
        Taken::Wrong => {
            tx.commit().await?;
            return Err(Error::WrongCode { tries_left: None });
        }
        Taken::Right => {}
    }
    forget(app, tx, account, "removed").await
}

/// An admin takes it away from somebody who lost it.
pub(crate) async fn reset(app: &App, caller: &Caller, id: UserId) -> Result<Status, Error> {
    app.admit(caller).await?;
    if caller.user.as_ref().is_some_and(|user| user.id == id) {
        return Err(Error::OwnAccount);
    }
    let tx = app.db.begin().await?;
    let account = account::find_for_update(&tx, id).await?.ok_or(Error::UserNotFound)?;
    check_power(&tx, caller, &account).await?;
    forget(app, tx, account, "reset").await
}

/// The end of it: secret, codes, brake, sessions; the owner is told.
async fn forget(
    app: &App,
    tx: Tx,
    account: account::Model,
    change: &'static str,
) -> Result<Status, Error> {
    if !second_factor::remove(&tx, account.id).await? {
        return Err(Error::SecondFactorNotEnrolled);
    }
    recovery_code::remove(&tx, account.id).await?;
    brake::release(&tx, &subject(account.id)).await?;
    let mut ended = end_all(app, &tx, account.id, None, Reason::SecondFactor).await?;
    ended.events.push(letter(app, &tx, account.id, change).await?);
    let status = status_of(app, &tx, &account).await?;
    let entry = NewEntry::new(&format!("second_factor.{change}"), target(account.id));
    app.commit(tx, (ended.events, entry)).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %account.id, change, "second factor ended");
    Ok(status)
}

/// Tells the owner what happened to their second factor.
pub(super) async fn letter(
    app: &App,
    tx: &Tx,
    account: UserId,
    change: &'static str,
) -> Result<NewEvent, Error> {
    let mail = NewMail {
        kind: Kind::SecondFactorChanged,
        to: To::Account(account),
        facts: vec![("change", change.to_owned())],
        expires_at: None,
    };
    Ok(mail::request(app, tx, mail).await?.1)
}
