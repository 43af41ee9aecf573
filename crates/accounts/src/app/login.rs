//! Logging in: who it is, whether they may try, whether the password is right.

use chrono::TimeDelta;
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{SessionId, UserId, fold};

use super::keys::{RefreshToken, SessionSecret};
use super::password::Check;
use super::second_factor::{Passed, check_login, is_enrolled};
use super::session::{Ended, letter, tell};
use super::tokens::{Issued, issue};
use super::{App, block, brake, entry};
use crate::Error;
use crate::domain::device;
use crate::domain::session::{Reason, network};
use crate::store::account::Model;
use crate::store::session::Model as Session;
use crate::store::{self, account, newest, refresh_token, session};

/// Letters about sessions that one login ends: more than one only when the bound was lowered.
const LETTERS: usize = 5;

/// What somebody typed.
pub(crate) struct Attempt {
    /// E-mail address or username.
    pub(crate) login: String,
    pub(crate) password: String,
    /// The client's address, for the log.
    pub(crate) address: String,
    /// The other name of the same account; empty when none was typed.
    pub(crate) also_login: String,
    pub(crate) remember: bool,
    /// What the client calls itself.
    pub(crate) device: String,
    /// Of the app, or a recovery code; empty when none was typed.
    pub(crate) second_factor_code: String,
    /// From an earlier login on this device, or empty.
    pub(crate) device_token: String,
    /// A browser, which keeps a secret in a cookie.
    pub(crate) cookie: bool,
}

/// Opens a session. Unknown, inactive and wrong look the same and take as long.
pub(crate) async fn login(app: &App, attempt: Attempt) -> Result<Issued, Error> {
    check(&attempt)?;
    if app.passwords.is_full() {
        // a crowd must cost less to send away than to serve
        let error = Error::Busy;
        app.audit.note_some(entry::not_logged_in(None, &error, &attempt));
        return Err(error);
    }
    let found = find(app, &attempt).await?;
    let subject = subject(app, &attempt, found.as_ref());
    let named = found.as_ref().map(|account| account.id);
    let tried = match brake::admit(app, subject, &attempt.address).await {
        Ok(tried) => tried,
        Err(error) => {
            app.audit.note_some(entry::not_logged_in(named, &error, &attempt));
            return Err(error);
        }
    };
    // whoever had the turn before may have made the hash stronger; nobody is looked for as well, for
    // the time that it takes
    let id = named.unwrap_or_else(UserId::new);
    let found = account::find(newest(&app.db), id).await?;
    let stored = found.as_ref().map(|account| account.password_hash.as_str());
    let opened = match (found.as_ref(), app.passwords.check(&attempt.password, stored).await) {
        (_, Err(error)) => Err(error),
        (Some(account), Ok(check)) if account.active && check != Check::Wrong => {
            open(app, account, &attempt, check, &tried).await
        }
        _ => {
            tried.failed(app).await?;
            let error = Error::InvalidCredentials;
            app.audit.note_some(entry::not_logged_in(named, &error, &attempt));
            return Err(error);
        }
    };
    if let Err(error) = &opened {
        app.audit.note_some(entry::not_logged_in(named, error, &attempt));
        // the password was right, or nobody looked at it
        tried.withdraw(app).await?;
    }
    opened
}

/// The password was right a moment ago: a session, unless the account changed since.
async fn open(
    app: &App,
    seen: &Model,
    attempt: &Attempt,
    check: Check,
    tried: &brake::Attempt<'_>,
) -> Result<Issued, Error> {
    let stronger = match check {
        Check::RightButDated => Some(app.passwords.hash(&attempt.password).await?),
        Check::Right | Check::Wrong => None,
    };
    block::refuse(newest(&app.db), seen.id, app.clock.now()).await?;
    // a code is used up, and a wrong one counted, in a transaction of its own
    let passed = check_login(app, seen, &attempt.second_factor_code).await?;
    let tx = app.db.begin().await?;
    // one login of an account at a time, so that its sessions are counted rightly
    let account = account::find_for_update(&tx, seen.id).await?;
    let account = account.filter(|a| a.active && a.password_hash == seen.password_hash);
    let account = account.ok_or(Error::InvalidCredentials)?;
    if passed == Passed::NotEnrolled && is_enrolled(&tx, account.id).await? {
        // in the same moment
        return Err(Error::SecondFactorRequired);
    }
    if let Some(hash) = stronger {
        account::rehash(&tx, account.id, hash).await?;
    }
    let now = app.clock.now();
    block::refuse(&tx, account.id, now).await?;
    tried.passed(&tx).await?;
    let before = session::not_ended(&tx, account.id).await?;
    let came_before = account.last_login_at.is_some() || !before.is_empty();
    let Ended { ids: ended, mut events } = make_room(app, &tx, &account, before).await?;
    account::note_login(&tx, account.id, now).await?;

    let secret = attempt.cookie.then(SessionSecret::random);
    let is_staff = !store::role::all(&tx).await?.permissions(&account.role).is_empty();
    let opened = Session {
        id: SessionId::new(),
        account_id: account.id,
        created_at: now,
        last_used_at: now,
        expires_at: app.limits().end(now, is_staff),
        ended_at: None,
        device: device::clean(&attempt.device),
        network: place(attempt),
        remember: attempt.remember,
        secret_hash: secret.as_ref().map(SessionSecret::hash),
        second_factor_at: (passed == Passed::Given).then_some(now),
    };
    if came_before && !is_known(app, &account, &attempt.device_token) {
        events.extend(letter(app, &tx, &opened, None).await?);
    }
    let device_token = app.keys.device(account.id, account.device_generation, now);
    session::insert(&tx, opened.clone()).await?;
    let mut issued = issue(app, &tx, account, &opened).await?;
    issued.device_token = device_token;
    issued.device_expires_in_s = app.config.known_device_s();
    match secret {
        Some(secret) => issued.session_secret = secret.reveal(),
        None => issued.refresh_token = first_token(&tx, &opened).await?,
    }
    let told = entry::logged_in(seen.id, opened.id, attempt);
    app.commit(tx, (events, told)).await?;
    app.revoke(&ended);
    Ok(issued)
}

/// Where somebody is, for lists and letters; known also when no brake is to count it.
fn place(attempt: &Attempt) -> String {
    let beside = souk_rpc::current().client.unwrap_or_default();
    let beside = || network(beside.split('/').next().unwrap_or_default());
    network(&attempt.address).or_else(beside).unwrap_or_default()
}

/// Ends what is over, and of what lives as much as the bound asks for: what was used longest ago.
async fn make_room(
    app: &App,
    tx: &Tx,
    account: &Model,
    sessions: Vec<Session>,
) -> Result<Ended, Error> {
    let (limits, now) = (app.limits(), app.clock.now());
    let is_live = |session: &Session| session.is_live(&limits, now);
    let (live, over): (Vec<Session>, Vec<Session>) = sessions.into_iter().partition(is_live);
    if !over.is_empty() {
        session::end_over(tx, account.id, &limits, now).await?;
    }
    let most = usize::try_from(app.config.max_devices).unwrap_or(usize::MAX);
    let too_many = (live.len() + 1).saturating_sub(most);
    let mut evicted = Vec::new();
    for session in live.into_iter().take(too_many) {
        // another may have ended it meanwhile, and told so
        if session::end(tx, session.id, now).await? {
            evicted.push(session);
        }
    }
    let ids: Vec<SessionId> = evicted.iter().map(|session| session.id).collect();
    let mut events = tell(app, tx, account.id, &ids, Reason::Evicted).await?;
    for session in evicted.iter().rev().take(LETTERS) {
        events.extend(letter(app, tx, session, Some(Reason::Evicted)).await?);
    }
    if !ids.is_empty() {
        tracing::info!(user.id = %account.id, sessions = ids.len(), "sessions ended for a newer one");
    }
    Ok(Ended { ids, events })
}

/// The refresh token that a session begins with.
async fn first_token(tx: &Tx, session: &Session) -> Result<String, Error> {
    let token = RefreshToken::random();
    let row = refresh_token::Model {
        hash: token.hash(),
        session_id: session.id,
        issued_at: session.created_at,
        used_at: None,
    };
    refresh_token::insert(tx, row).await?;
    Ok(token.reveal())
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
/// typed. Devices that the account's owner used before count apart: whoever guesses elsewhere does
/// not lock them out.
fn subject(app: &App, attempt: &Attempt, found: Option<&Model>) -> String {
    match found {
        Some(account) if is_known(app, account, &attempt.device_token) => {
            format!("{}:known", account.id)
        }
        Some(account) => account.id.to_string(),
        None => {
            let typed = [&attempt.login, &attempt.also_login].map(|login| fold(login.trim()));
            app.keys.stranger(&typed.join("\n"))
        }
    }
}

/// Whether the account's owner logged in on the device that shows this, of late and since the
/// account was last won back.
fn is_known(app: &App, account: &Model, token: &str) -> bool {
    let life = TimeDelta::seconds(i64::from(app.config.known_device_s()));
    let seen = app.keys.device_seen(account.id, account.device_generation, token);
    seen.is_some_and(|at| app.clock.now() - at < life)
}
