//! Another e-mail address: proven by a code that is sent there, and told to the one before.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use souk_auth::Caller;
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::{EmailAddress, MailRequestId, UserId};

use super::{check_password, end_letters, own, required, unchanged};
use crate::Error;
use crate::app::account::refuse;
use crate::app::event::{self, user};
use crate::app::mail::{self, NewMail, To};
use crate::app::session::end_all;
use crate::app::{App, entry, newsletter};
use crate::domain::account::{Broken, Changes};
use crate::domain::code::{LIFE, left};
use crate::domain::mail::Kind;
use crate::domain::session::Reason;
use crate::store::account::{self, Model};
use crate::store::{email_change, mail_request};

/// Wishes of one account in an hour: each writes to an address that may be anybody's.
const WISHES: u64 = 5;

/// Asks for a code. Whether somebody has the address is told to them, never to the caller: then no
/// code is right. Answers when the code ends.
pub(crate) async fn request(
    app: &App,
    caller: &Caller,
    new: &str,
    password: &str,
) -> Result<DateTime<Utc>, Error> {
    let (seen, _) = own(app, caller).await?;
    let email = wanted(new, password, &seen)?;
    check_password(app, &seen, password).await?;

    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let owner = account::find_by_address(&tx, &email.folded()).await?.map(|owner| owner.id);
    let owner = owner.filter(|owner| *owner != seen.id);
    // two who want each other's address lock the two rows in the same order
    if let Some(owner) = owner.filter(|owner| *owner < seen.id) {
        account::find_for_update(&tx, owner).await?;
    }
    let account = unchanged(&tx, &seen).await?;
    let since = now - TimeDelta::hours(1);
    let kind = Kind::EmailChangeNotice.as_str();
    if mail_request::count_since(&tx, account.id, kind, since).await? >= WISHES {
        return Err(Error::TooManyAttempts { retry_after: Duration::from_secs(3600) });
    }
    if let Some(letter) = email_change::delete(&tx, account.id).await? {
        mail_request::end(&tx, letter, now).await?;
    }
    let expires_at = now + LIFE;
    let (code, mut events) = match owner {
        Some(owner) => (None, mail::warn_owner(app, &tx, owner).await?.into_iter().collect()),
        None => code_letter(app, &tx, &account, &email, expires_at).await?,
    };
    events.push(letter(app, &tx, Kind::EmailChangeNotice, &account, &email).await?);
    let change = email_change::Model {
        account_id: account.id,
        email: email.as_str().to_owned(),
        email_folded: email.folded(),
        mail_request: code,
        tries: 0,
        created_at: now,
        expires_at,
    };
    email_change::insert(&tx, change).await?;
    app.commit_all(tx, events).await?;
    tracing::info!(user.id = %account.id, "another address wanted");
    Ok(expires_at)
}

fn wanted(new: &str, password: &str, account: &Model) -> Result<EmailAddress, Error> {
    let mut broken = Vec::new();
    let parsed = EmailAddress::parse(new);
    let parsed = parsed.map_err(|error| broken.push(Broken::new("new_email", error))).ok();
    let changes = Changes { email: parsed, ..Changes::default() };
    if let Some(error) = changes.not_to_be_taken(&account.username, &account.email).pop() {
        broken.push(Broken { field: "new_email", ..error });
    }
    if changes.email.as_ref().is_some_and(|new| new.as_str() == account.email) {
        broken.push(Broken::new("new_email", "is the address already"));
    }
    broken.extend(required("current_password", password));
    refuse(broken)?;
    changes.email.ok_or_else(|| Error::Invalid(Vec::new()))
}

/// The code to the new address.
async fn code_letter(
    app: &App,
    tx: &Tx,
    account: &Model,
    email: &EmailAddress,
    expires_at: DateTime<Utc>,
) -> Result<(Option<MailRequestId>, Vec<NewEvent>), Error> {
    let to = To::Address {
        account: Some(account.id),
        email: email.as_str().to_owned(),
        name: name(account),
    };
    let (kind, expires_at) = (Kind::EmailChangeCode, Some(expires_at));
    let mail = NewMail { kind, to, facts: Vec::new(), expires_at };
    let (mail, event) = mail::request(app, tx, mail).await?;
    Ok((Some(mail), vec![event]))
}

/// A letter to the address that the account has in `account`, whatever it has when it is sent.
async fn letter(
    app: &App,
    tx: &Tx,
    kind: Kind,
    account: &Model,
    new: &EmailAddress,
) -> Result<NewEvent, Error> {
    let to = To::Address {
        account: Some(account.id),
        email: account.email.clone(),
        name: name(account),
    };
    let facts = vec![("new_email", new.as_str().to_owned())];
    Ok(mail::request(app, tx, NewMail { kind, to, facts, expires_at: None }).await?.1)
}

fn name(account: &Model) -> String {
    let named = if account.full_name.is_empty() { &account.username } else { &account.full_name };
    named.clone()
}

/// Takes the new address if the code is right, and ends every session but the caller's: whoever
/// sits elsewhere may be why. A code counts before it is compared, in the transaction in which it is
/// compared, and nothing is answered before that is committed.
pub(crate) async fn confirm(app: &App, caller: &Caller, code: &str) -> Result<Model, Error> {
    let (seen, session) = own(app, caller).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let before = account::find_for_update(&tx, seen.id).await?.filter(|account| account.active);
    let before = before.ok_or(Error::AccountInactive)?;
    let Some(change) = email_change::count_try(&tx, before.id, now).await? else {
        return Err(over(email_change::find(&tx, before.id).await?));
    };
    if !app.keys.is_code(change.mail_request, code) {
        if let Some(mail) = change.mail_request.filter(|_| !change.has_tries()) {
            mail_request::end(&tx, mail, now).await?;
        }
        tx.commit().await?;
        tracing::info!(user.id = %before.id, tries = change.tries, "wrong code");
        return Err(Error::WrongCode { tries_left: Some(left(change.tries)) });
    }
    // links that were sent to the old address, too
    end_letters(&tx, before.id, now).await?;
    if is_taken(&tx, before.id, &change.email_folded).await? {
        tx.commit().await?;
        return Err(Error::EmailChangeNotFound);
    }
    let new = EmailAddress::parse(&change.email).map_err(|_| Error::EmailChangeNotFound)?;
    let mut after = Model {
        email: change.email,
        email_folded: change.email_folded,
        version: before.version + 1,
        updated_at: now,
        ..before.clone()
    };
    after.index();
    match account::update(&tx, &after, before.version).await {
        // in the same moment
        Err(Error::Taken { .. }) => return Err(Error::EmailChangeNotFound),
        written => written?,
    }
    newsletter::follow(&tx, &before.email_folded, &new, now).await?;
    let mut ended = end_all(app, &tx, before.id, Some(session), Reason::Email).await?;
    ended.events.push(user(event::Kind::Changed, &after, &["email"], caller.actor()));
    ended.events.push(letter(app, &tx, Kind::EmailChanged, &before, &new).await?);
    let entry = entry::user("user.changed", Some(&before), &after);
    app.commit(tx, (ended.events, entry)).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %after.id, sessions = ended.ids.len(), "address changed");
    Ok(after)
}

async fn is_taken(tx: &Tx, account: UserId, folded: &str) -> Result<bool, Error> {
    let owner = account::find_by_address(tx, folded).await?;
    Ok(owner.is_some_and(|owner| owner.id != account))
}

/// Why no code is heard.
fn over(change: Option<email_change::Model>) -> Error {
    match change {
        Some(change) if change.has_tries() => Error::CodeExpired,
        Some(_) | None => Error::EmailChangeNotFound,
    }
}
