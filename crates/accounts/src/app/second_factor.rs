//! Second factors: who has one, who must, and whether a code is good.

use souk_audit::NewEntry;
use souk_auth::Caller;
use souk_storage::Tx;
use souk_values::UserId;

use super::App;
use crate::Error;
use crate::domain::second_factor::{Standing, Typed};
use crate::store::account::Model as Account;
use crate::store::session::Model as Session;
use crate::store::{account, brake, newest, recovery_code, role, second_factor, session};

mod change;
mod enrol;
mod reseal;
mod totp;
mod verify;

pub(crate) use change::{remove, replace_recovery_codes, reset};
pub(crate) use enrol::{begin, confirm};
pub(crate) use reseal::reseal;
pub(crate) use verify::verify;

use totp::AppSecret;

/// What a login learned about the second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// The account has none.
    NotEnrolled,
    /// It was given just now.
    Given,
}

/// What somebody may know about their own.
pub(crate) struct Status {
    pub(crate) enrolled: bool,
    pub(crate) required: bool,
    pub(crate) recovery_codes_left: u64,
    /// Seconds since the epoch; 0: not fresh.
    pub(crate) fresh_until: i64,
}

/// What a session may do, as far as the second factor goes. `expires_at`: of the token that will
/// say it, in seconds since the epoch.
pub(crate) async fn standing(
    app: &App,
    db: &impl sea_orm::ConnectionTrait,
    account: &Account,
    session: &Session,
    expires_at: i64,
) -> Result<Standing, Error> {
    let enrolled = second_factor::enrolled(db, account.id).await?.is_some();
    let required = is_required(app, db, account).await?;
    Ok(Standing::of(enrolled, required, session.second_factor_at, expires_at))
}

/// Whether the account must have one: whoever holds any permission, where the setting says so.
pub(crate) async fn is_required(
    app: &App,
    db: &impl sea_orm::ConnectionTrait,
    account: &Account,
) -> Result<bool, Error> {
    if !app.config.admin_second_factor.is_required(app.db.is_postgres()) {
        return Ok(false);
    }
    Ok(!role::all(db).await?.permissions(&account.role).is_empty())
}

/// Whether codes are asked for at logins.
pub(crate) async fn is_enrolled(
    db: &impl sea_orm::ConnectionTrait,
    account: UserId,
) -> Result<bool, Error> {
    Ok(second_factor::enrolled(db, account).await?.is_some())
}

/// At a login, after the password was found right. The code is used up, whatever becomes of the
/// login.
pub(crate) async fn check_login(app: &App, account: &Account, code: &str) -> Result<Passed, Error> {
    if second_factor::enrolled(newest(&app.db), account.id).await?.is_none() {
        return Ok(Passed::NotEnrolled);
    }
    if code.trim().is_empty() {
        return Err(Error::SecondFactorRequired);
    }
    let tx = app.db.begin().await?;
    let taken = take(app, &tx, account.id, code).await?;
    tx.commit().await?;
    match taken {
        Taken::Right => Ok(Passed::Given),
        Taken::Wrong => Err(Error::WrongSecondFactor),
        Taken::NotEnrolled => Ok(Passed::NotEnrolled),
    }
}

/// The caller's own.
pub(crate) async fn status(app: &App, caller: &Caller) -> Result<Status, Error> {
    app.admit(caller).await?;
    let db = newest(&app.db);
    let user = caller.user.as_ref().ok_or(Error::NotLoggedIn)?;
    let account = account::find(db, user.id).await?.ok_or(Error::UserNotFound)?;
    let mut status = status_of(app, db, &account).await?;
    // of the session, not of the token: it may have been given since
    if let Some(session) = session::find(db, user.session).await? {
        let standing = standing(app, db, &account, &session, user.expires_at).await?;
        let is_fresh = app.clock.now().timestamp() < standing.fresh_until;
        status.fresh_until = if is_fresh { standing.fresh_until } else { 0 };
    }
    Ok(status)
}

async fn status_of(
    app: &App,
    db: &impl sea_orm::ConnectionTrait,
    account: &Account,
) -> Result<Status, Error> {
    Ok(Status {
        enrolled: second_factor::enrolled(db, account.id).await?.is_some(),
        required: is_required(app, db, account).await?,
        recovery_codes_left: recovery_code::left(db, account.id).await?,
        fresh_until: 0,
    })
}

/// What became of a code.
enum Taken {
    NotEnrolled,
    Right,
    Wrong,
}

/// Takes a code, which is good once. The row is locked, so codes that are sent together are heard
/// one by one; a wrong one is counted in this transaction, which the caller must commit.
async fn take(app: &App, tx: &Tx, account: UserId, code: &str) -> Result<Taken, Error> {
    let row = second_factor::find_for_update(tx, account).await?;
    let Some(row) = row.filter(|row| row.confirmed_at.is_some()) else {
        return Ok(Taken::NotEnrolled);
    };
    check_brake(app, tx, account).await?;
    let now = app.clock.now();
    let right = match Typed::parse(code) {
        None => false,
        Some(Typed::App(digits)) => match opened(app, &row)?.step(&digits, now)? {
            Some(step) => second_factor::take_step(tx, account, step).await?,
            None => false,
        },
        Some(Typed::Recovery(code)) => {
            let tags = app.keys.recovery_code_tags(account, &code);
            recovery_code::take(tx, account, tags, now).await?
        }
    };
    if right {
        brake::release(tx, &subject(account)).await?;
        return Ok(Taken::Right);
    }
    count_failure(app, tx, account).await?;
    Ok(Taken::Wrong)
}

fn opened(app: &App, row: &second_factor::Model) -> Result<AppSecret, Error> {
    // an error: the keys are others, or somebody changed the row
    let opened = app.keys.open(row.account_id, &row.sealed_secret);
    let opened = opened.map_err(|error| Error::SecondFactor(error.into()))?;
    Ok(AppSecret::from_bytes(opened.plain))
}

/// Whose it is, for the audit.
fn target(account: UserId) -> String {
    format!("user/{account}")
}

/// Codes are guessed apart from passwords: who knows the one still has the other before them.
fn subject(account: UserId) -> String {
    format!("{account}:second")
}

async fn check_brake(app: &App, tx: &Tx, account: UserId) -> Result<(), Error> {
    let now = app.clock.now();
    match brake::until(tx, &subject(account)).await? {
        Some(until) if now < until => {
            Err(Error::TooManyAttempts { retry_after: (until - now).to_std().unwrap_or_default() })
        }
        _ => Ok(()),
    }
}

async fn count_failure(app: &App, tx: &Tx, account: UserId) -> Result<(), Error> {
    let failures = brake::fail(tx, &subject(account), app.clock.now()).await?;
    let entry = NewEntry::new("second_factor.given", target(account)).actor(account);
    app.audit.record(tx, entry.failed("wrong_code")).await?;
    tracing::warn!(user.id = %account, failures, "wrong second factor");
    Ok(())
}

/// The caller's account as it is now, before their password is looked at: nothing is guessed by a
/// program's key.
async fn person(app: &App, caller: &Caller) -> Result<Account, Error> {
    app.admit(caller).await?;
    let db = newest(&app.db);
    let user = caller.user.as_ref().ok_or(Error::NotLoggedIn)?;
    session::find(db, user.session).await?.ok_or(Error::NotByApiKey)?;
    account::find(db, user.id).await?.ok_or(Error::UserNotFound)
}

/// The caller's account, locked, and the session in which they are. A key of a program has none,
/// and no business here.
pub(super) async fn own(app: &App, tx: &Tx, caller: &Caller) -> Result<(Account, Session), Error> {
    let user = caller.user.as_ref().ok_or(Error::NotLoggedIn)?;
    let account = account::find_for_update(tx, user.id).await?.filter(|account| account.active);
    let account = account.ok_or(Error::AccountInactive)?;
    let session = session::find(tx, user.session).await?.ok_or(Error::NotByApiKey)?;
    if session.account_id == account.id && session.is_open(app.clock.now()) {
        Ok((account, session))
    } else {
        Err(Error::SessionEnded)
    }
}
