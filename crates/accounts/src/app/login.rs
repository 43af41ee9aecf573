//! Logging in: who it is, whether they may try, whether the password is right.

use souk_rpc::Violation;
use souk_values::fold;

use super::keys::RefreshToken;
use super::password::Check;
use super::tokens::{Issued, issue};
use super::{App, Keys};
use crate::Error;
use crate::domain::{brake, session::network};
use crate::store::account::Model;
use crate::store::{self, account, newest, refresh_token, session};

/// What somebody typed.
pub(crate) struct Attempt {
    /// E-mail address or username.
    pub(crate) login: String,
    pub(crate) password: String,
    /// The client's address, for the log.
    pub(crate) address: String,
    /// The other name of the same account; empty when none was typed.
    pub(crate) also_login: String,
}

/// Opens a session. Unknown, inactive and wrong look the same and take as long.
pub(crate) async fn login(app: &App, attempt: Attempt) -> Result<Issued, Error> {
    check(&attempt)?;
    let found = find(app, &attempt).await?;
    let subject = subject(&app.keys, &attempt, found.as_ref());
    let _turn = app.turns.wait(&subject).await?;
    let now = app.clock.now();
    if let Some(until) = store::brake::until(newest(&app.db), &subject).await?
        && now < until
    {
        return Err(Error::TooManyAttempts {
            retry_after: (until - now).to_std().unwrap_or_default(),
        });
    }
    let stored = found.as_ref().map(|account| account.password_hash.as_str());
    let check = app.passwords.check(&attempt.password, stored).await?;
    match found {
        Some(account) if account.active && check != Check::Wrong => {
            open(app, account, &attempt, check, &subject).await
        }
        _ => Err(fail(app, &attempt, &subject).await?),
    }
}

/// The password was right a moment ago: a session, unless the account changed since.
async fn open(
    app: &App,
    seen: Model,
    attempt: &Attempt,
    check: Check,
    subject: &str,
) -> Result<Issued, Error> {
    let stronger = match check {
        Check::RightButDated => Some(app.passwords.hash(&attempt.password).await?),
        Check::Right | Check::Wrong => None,
    };
    let tx = app.db.begin().await?;
    let account = account::find_for_update(&tx, seen.id).await?;
    let account = account.filter(|a| a.active && a.password_hash == seen.password_hash);
    let account = account.ok_or(Error::InvalidCredentials)?;
    if let Some(hash) = stronger {
        account::rehash(&tx, account.id, hash).await?;
    }
    store::brake::release(&tx, subject).await?;
    let now = app.clock.now();
    let days = chrono::TimeDelta::days(i64::from(app.config.refresh_token_days));
    let opened = session::Model {
        id: souk_values::SessionId::new(),
        account_id: account.id,
        created_at: now,
        last_used_at: now,
        expires_at: now + days,
        ended_at: None,
    };
    let token = RefreshToken::random();
    let issued = refresh_token::Model {
        hash: token.hash(),
        session_id: opened.id,
        issued_at: now,
        used_at: None,
    };
    let answer = issue(app, &tx, account, opened.id, token).await?;
    session::insert(&tx, opened).await?;
    refresh_token::insert(&tx, issued).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Counts the failure; answers what the caller is told.
async fn fail(app: &App, attempt: &Attempt, subject: &str) -> Result<Error, Error> {
    let tx = app.db.begin().await?;
    let failures = store::brake::fail(&tx, subject, app.clock.now()).await?;
    tx.commit().await?;
    let delay = brake::delay(failures);
    if !delay.is_zero() {
        let network = network(&attempt.address).unwrap_or_default();
        let delay_s = delay.as_secs();
        tracing::warn!(login.subject = subject, failures, delay_s, network, "login braked");
    }
    Ok(Error::InvalidCredentials)
}

fn check(attempt: &Attempt) -> Result<(), Error> {
    let mut broken = Vec::new();
    for (field, text) in [("login", attempt.login.trim()), ("password", &attempt.password)] {
        if text.is_empty() {
            broken.push(Violation::new(field, "is required"));
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Error::Invalid(broken)) }
}

async fn find(app: &App, attempt: &Attempt) -> Result<Option<Model>, Error> {
    // no address or name is longer, and PostgreSQL takes no NUL in a text
    let possible = |login: &str| login.len() <= 1024 && !login.contains('\0');
    if !possible(&attempt.login) || !possible(&attempt.also_login) {
        return Ok(None);
    }
    let db = newest(&app.db);
    let found = account::find_by_login(db, &attempt.login).await?;
    if attempt.also_login.trim().is_empty() {
        return Ok(found);
    }
    let also = account::find_by_login(db, &attempt.also_login).await?.map(|a| a.id);
    Ok(found.filter(|account| also == Some(account.id)))
}

/// Whose failures are counted together: an account's under all its names, a stranger's by what was
/// typed.
fn subject(keys: &Keys, attempt: &Attempt, found: Option<&Model>) -> String {
    match found {
        Some(account) => account.id.to_string(),
        None => {
            let typed = [&attempt.login, &attempt.also_login].map(|login| fold(login.trim()));
            keys.stranger(&typed.join("\n"))
        }
    }
}
