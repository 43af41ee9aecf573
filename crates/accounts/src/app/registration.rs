//! Becoming a customer: what was asked for waits until the code that was mailed to the address is
//! given. Whether an address is known is told to its owner, never to the caller.

use std::time::Duration;

use chrono::{DateTime, Utc};
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::{MailRequestId, RegistrationId, UserId};
use tokio::time::sleep;

use super::account::{apply, blank, parse, refuse};
use super::event::{self, user};
use super::mail::{self, NewMail, To};
use super::{App, entry};
use crate::Error;
use crate::config::Registration;
use crate::domain::account::{Broken, Changes, Fields, Password};
use crate::domain::code::{LIFE, left};
use crate::domain::mail::Kind;
use crate::domain::registration::{WAITING, pause};
use crate::domain::session::network;
use crate::store::account::Model as Account;
use crate::store::registration::Model;
use crate::store::{account, mail_request, newest, registration};

/// No answer that waits for a code comes earlier: a warning to an owner takes a little longer than a
/// code to somebody new.
const EVENLY: Duration = Duration::from_millis(200);

/// What came of it.
pub(crate) enum Registered {
    /// A code is on its way.
    Pending(Pending),
    /// Where registration is open.
    Account(Box<Account>),
}

/// What waits for its code.
pub(crate) struct Pending {
    pub(crate) id: RegistrationId,
    pub(crate) expires_at: DateTime<Utc>,
}

/// The fields of somebody who registers, in order.
pub(crate) async fn check(app: &App, fields: &Fields) -> Result<Changes, Error> {
    let (changes, mut broken) = parse(app, fields).await?;
    for (field, given) in [
        ("username", fields.username.is_some()),
        ("email", fields.email.is_some()),
        ("password", fields.password.is_some()),
    ] {
        if !given {
            broken.push(Broken::new(field, "is required"));
        }
    }
    broken.extend(changes.not_to_be_taken("", ""));
    broken.extend(changes.told("", ""));
    for (field, given) in [
        ("role", fields.role.is_some()),
        ("active", fields.active.is_some()),
        ("password_hash", fields.password_hash.is_some()),
    ] {
        if given {
            broken.retain(|b| b.field != field);
            broken.push(Broken::new(field, "cannot be chosen"));
        }
    }
    refuse(broken)?;
    Ok(changes)
}

/// Asks for an account. `address` is the client's, for the log.
pub(crate) async fn register(
    app: &App,
    fields: &Fields,
    address: &str,
) -> Result<Registered, Error> {
    let changes = check(app, fields).await?;
    let wanted = apply(&changes, None, blank(app, String::new())).0;
    // told before the dear part; decided in the transaction
    refuse_taken(app, newest(&app.db), &wanted.username_folded).await?;
    // counted from here
    let due = sleep(EVENLY);
    let hash = app.passwords.hash(changes.password.as_ref().map_or("", Password::reveal)).await?;
    let wanted = Account { password_hash: hash, ..wanted };
    match app.config.registration {
        Registration::Code => {
            let pending = wait(app, wanted, address).await?;
            due.await;
            Ok(Registered::Pending(pending))
        }
        Registration::Open => {
            let tx = app.db.begin().await?;
            registration::free_username(&tx, &wanted.username_folded, app.clock.now()).await?;
            refuse_taken(app, &tx, &wanted.username_folded).await?;
            Ok(Registered::Account(Box::new(create(app, tx, wanted).await?)))
        }
    }
}

/// The name of an account, and one that waits for its code, is nobody else's.
async fn refuse_taken(
    app: &App,
    db: &impl sea_orm::ConnectionTrait,
    username: &str,
) -> Result<(), Error> {
    let taken = account::is_username(db, username).await?
        || registration::holds_username(db, username, app.clock.now()).await?;
    if taken { Err(Error::Taken { username: true, email: false }) } else { Ok(()) }
}

/// Writes the registration and asks for its letter. Where the address is somebody's already, the
/// same is done and answered, but no code will be right, and the letter is a warning to its owner.
async fn wait(app: &App, wanted: Account, address: &str) -> Result<Pending, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    registration::free_username(&tx, &wanted.username_folded, now).await?;
    refuse_taken(app, &tx, &wanted.username_folded).await?;
    let waiting = registration::ends_of_address(&tx, &wanted.email_folded, now).await?;
    if let Some(first) = waiting.first().filter(|_| waiting.len() >= WAITING) {
        let retry_after = (*first - now).to_std().unwrap_or(Duration::from_secs(60));
        return Err(Error::TooManyAttempts { retry_after });
    }
    let owner = account::find_by_address(&tx, &wanted.email_folded).await?.map(|owner| owner.id);
    let mut row = Model {
        id: RegistrationId::new(),
        username: wanted.username,
        username_folded: wanted.username_folded,
        email: wanted.email,
        email_folded: wanted.email_folded,
        full_name: wanted.full_name,
        password_hash: if owner.is_none() { wanted.password_hash } else { String::new() },
        mail_request: None,
        tries: 0,
        resends: 0,
        created_at: now,
        expires_at: now + LIFE,
        last_mail_at: now,
    };
    let (mail, events) = letter(app, &tx, &row, owner).await?;
    row.mail_request = mail;
    let pending = Pending { id: row.id, expires_at: row.expires_at };
    registration::insert(&tx, row).await?;
    app.commit_all(tx, events).await?;
    let network = network(address).unwrap_or_default();
    tracing::info!(registration.id = %pending.id, network, "registration waits for its code");
    Ok(pending)
}

/// The letter that a registration causes: the code to whoever wants the address, or a warning to
/// whoever has it.
async fn letter(
    app: &App,
    tx: &Tx,
    row: &Model,
    owner: Option<UserId>,
) -> Result<(Option<MailRequestId>, Vec<NewEvent>), Error> {
    if let Some(owner) = owner {
        let warning = mail::warn_owner(app, tx, owner).await?;
        return Ok((None, warning.into_iter().collect()));
    }
    let name = if row.full_name.is_empty() { &row.username } else { &row.full_name };
    let to = To::Address { account: None, email: row.email.clone(), name: name.clone() };
    let expires_at = Some(row.expires_at);
    let mail = NewMail { kind: Kind::RegistrationCode, to, facts: Vec::new(), expires_at };
    let (mail, event) = mail::request(app, tx, mail).await?;
    Ok((Some(mail), vec![event]))
}

/// Makes the account if the code is right. A code counts before it is compared, in the transaction
/// in which it is compared, and nothing is answered before that is committed.
pub(crate) async fn confirm(app: &App, id: RegistrationId, code: &str) -> Result<Account, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let Some(row) = registration::count_try(&tx, id, now).await? else {
        return Err(over(registration::find(&tx, id).await?));
    };
    if !app.keys.is_code(row.mail_request, code) {
        if let Some(mail) = row.mail_request.filter(|_| !row.has_tries()) {
            mail_request::end(&tx, mail, now).await?;
        }
        tx.commit().await?;
        tracing::info!(registration.id = %id, tries = row.tries, "wrong code");
        return Err(Error::WrongCode { tries_left: Some(left(row.tries)) });
    }
    if let Some(mail) = row.mail_request {
        mail_request::end(&tx, mail, now).await?;
    }
    // somebody confirmed another registration of the same address first
    if account::find_by_address(&tx, &row.email_folded).await?.is_some() {
        registration::delete(&tx, id).await?;
        tx.commit().await?;
        return Err(Error::RegistrationNotFound);
    }
    let mut wanted = blank(app, row.password_hash);
    wanted.username = row.username;
    wanted.username_folded = row.username_folded;
    wanted.email = row.email;
    wanted.email_folded = row.email_folded;
    wanted.full_name = row.full_name;
    wanted.index();
    registration::delete(&tx, id).await?;
    match create(app, tx, wanted).await {
        // in the same moment
        Err(Error::Taken { email: true, .. }) => Err(Error::RegistrationNotFound),
        made => made,
    }
}

/// Why no code is heard.
fn over(row: Option<Model>) -> Error {
    match row {
        Some(row) if row.has_tries() => Error::CodeExpired,
        Some(_) | None => Error::RegistrationNotFound,
    }
}

/// The account, its letter and its event, in one transaction.
async fn create(app: &App, tx: Tx, wanted: Account) -> Result<Account, Error> {
    account::insert(&tx, wanted.clone()).await?;
    let to = To::Account(wanted.id);
    let welcome = NewMail { kind: Kind::Welcome, to, facts: Vec::new(), expires_at: None };
    let (_, welcome) = mail::request(app, &tx, welcome).await?;
    let created = user(event::Kind::Created, &wanted, &[], wanted.id.to_string());
    let entry = entry::user("user.registered", None, &wanted).actor(wanted.id);
    app.commit(tx, (vec![created, welcome], entry)).await?;
    tracing::info!(user.id = %wanted.id, "user registered");
    Ok(wanted)
}

/// The same registration under a new code: the old one is worth nothing from now on.
pub(crate) async fn resend(app: &App, id: RegistrationId) -> Result<Pending, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let row = registration::find_for_update(&tx, id).await?;
    let mut row = match row {
        Some(row) if row.has_tries() && now < row.expires_at => row,
        other => return Err(over(other)),
    };
    if let Some(retry_after) = pause(row.resends, row.last_mail_at, row.expires_at, now) {
        return Err(Error::ResendLimit { retry_after });
    }
    row.resends += 1;
    row.last_mail_at = now;
    row.expires_at = now + LIFE;
    let (mail, events) = match row.mail_request {
        Some(before) => {
            mail_request::end(&tx, before, now).await?;
            letter(app, &tx, &row, None).await?
        }
        None => {
            let owner = account::find_by_address(&tx, &row.email_folded).await?;
            match owner {
                Some(owner) => letter(app, &tx, &row, Some(owner.id)).await?,
                None => (None, Vec::new()),
            }
        }
    };
    row.mail_request = mail;
    registration::note_letter(&tx, &row).await?;
    app.commit_all(tx, events).await?;
    tracing::info!(registration.id = %id, resends = row.resends, "registration code sent again");
    Ok(Pending { id, expires_at: row.expires_at })
}

/// What is no id names no registration.
pub(crate) fn read_id(text: &str) -> Result<RegistrationId, Error> {
    text.parse().map_err(|_| Error::RegistrationNotFound)
}
