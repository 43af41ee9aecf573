//! Consent to the newsletter. Anybody may ask for any address; only the link of a letter to it says
//! yes. Nobody learns from an answer whether an address is known: what is written for one that is
//! asked is written for one that is not.

use std::collections::BTreeMap;

use souk_audit::NewEntry;
use souk_auth::Caller;
use souk_events::NewEvent;
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{EmailAddress, MailRequestId, SubscriberId};

use super::keys::link_hash;
use super::mail::{self, NewMail, To};
use super::{App, address};
use crate::Error;
use crate::domain::mail::Kind;
use crate::domain::newsletter::{End, How, LIFE, Letters, Status, version};
use crate::store::subscriber::{self, Model};
use crate::store::{account, mail_request, newest};

mod address_change;

pub(super) use address_change::{follow, forget_address};

/// Where one newsletter letter goes, and the link that ends it.
pub(crate) struct Recipient {
    pub(crate) email: String,
    pub(crate) link: String,
}

/// Asks the owner of an address whether they want it.
pub(crate) async fn subscribe(app: &App, email: &str, text_version: &str) -> Result<(), Error> {
    let mut broken = Vec::new();
    let parsed = EmailAddress::parse(email);
    let parsed = parsed.map_err(|error| broken.push(Violation::new("email", error))).ok();
    let text = version(text_version);
    if text.is_none() {
        broken.push(Violation::new("text_version", "is no text of ours"));
    }
    match (parsed, text) {
        (Some(email), Some(text)) => ask(app, &email, text, How::Form).await,
        _ => Err(Error::Invalid(broken)),
    }
}

async fn ask(app: &App, email: &EmailAddress, text: &str, how: How) -> Result<(), Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let mut row = subscriber::hold(&tx, email, now).await?;
    let mut letters = Letters { count: row.letters, since: row.letters_since };
    let wanted = !row.is(Status::Confirmed) && letters.admit(now);
    // who said yes, or was asked often enough, is not asked
    let to = if wanted { email.as_str() } else { "" };
    let to = To::Address { account: None, email: to.to_owned(), name: String::new() };
    let expires_at = Some(now + LIFE);
    let mail = NewMail { kind: Kind::NewsletterConfirm, to, facts: Vec::new(), expires_at };
    let (request, event) = mail::request(app, &tx, mail).await?;
    let hash = link_hash(&app.keys.link(request));
    let replaced = row.mail_request.filter(|_| wanted);
    // of nobody, nothing ends under a new id
    mail_request::end(&tx, replaced.unwrap_or_else(MailRequestId::new), now).await?;
    let id = row.id;
    if wanted {
        // the newest link counts
        row = Model {
            email: email.as_str().to_owned(),
            status: Status::Pending.as_str().to_owned(),
            how: how.as_str().to_owned(),
            text_version: text.to_owned(),
            token_hash: Some(hash),
            mail_request: Some(request),
            expires_at,
            letters: letters.count,
            letters_since: letters.since,
            asked_at: now,
            confirmed_at: None,
            ended_at: None,
            ended_by: String::new(),
            ..row
        };
    }
    subscriber::update(&tx, row).await?;
    let events: Vec<NewEvent> = Some(event).filter(|_| wanted).into_iter().collect();
    app.commit_all(tx, events).await?;
    tracing::info!(subscriber.id = %id, asked = wanted, "newsletter asked for");
    Ok(())
}

/// Says yes by the link of the letter; the second time nothing happens.
pub(crate) async fn confirm(app: &App, token: &str) -> Result<(), Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let row = subscriber::find_by_token_for_update(&tx, &link_hash(token)).await?;
    let row = row.ok_or(Error::NewsletterLinkNotFound)?;
    if row.is(Status::Confirmed) {
        return Ok(());
    }
    if row.expires_at.is_none_or(|end| now >= end) {
        return Err(Error::CodeExpired);
    }
    if let Some(letter) = row.mail_request {
        mail_request::end(&tx, letter, now).await?;
    }
    let id = row.id;
    let entry = NewEntry::new("newsletter.confirmed", target(id))
        .actor("anonymous")
        .change("status", &row.status, Status::Confirmed.as_str())
        .change("how", "", &row.how)
        .change("text_version", "", &row.text_version);
    let after = Model {
        status: Status::Confirmed.as_str().to_owned(),
        expires_at: None,
        confirmed_at: Some(now),
        ..row
    };
    subscriber::update(&tx, after).await?;
    app.commit(tx, entry).await?;
    tracing::info!(subscriber.id = %id, "newsletter confirmed");
    Ok(())
}

/// Ends it by the link of any newsletter; the second time nothing happens. Of somebody who was
/// forgotten meanwhile nothing is left to end.
pub(crate) async fn unsubscribe(app: &App, token: &str, one_click: bool) -> Result<(), Error> {
    let id = app.keys.unsubscribes(token).ok_or(Error::NewsletterLinkNotFound)?;
    let by = if one_click { End::OneClick } else { End::Link };
    let tx = app.db.begin().await?;
    let Some(row) = subscriber::find_for_update(&tx, id).await? else { return Ok(()) };
    end(app, tx, row, by, Some("anonymous")).await.map(|_| ())
}

/// Commits the end of a consent. What has ended stays as it is.
async fn end(app: &App, tx: Tx, row: Model, by: End, actor: Option<&str>) -> Result<Model, Error> {
    if row.is(Status::Ended) {
        return Ok(row);
    }
    let now = app.clock.now();
    if let Some(letter) = row.mail_request {
        mail_request::end(&tx, letter, now).await?;
    }
    let id = row.id;
    let entry = NewEntry::new("newsletter.ended", target(id))
        .change("status", &row.status, Status::Ended.as_str())
        .change("by", "", by.as_str());
    let entry = match actor {
        Some(actor) => entry.actor(actor),
        None => entry,
    };
    let after = Model {
        status: Status::Ended.as_str().to_owned(),
        // a link that still lies in a mailbox says nothing any more
        token_hash: None,
        mail_request: None,
        expires_at: None,
        ended_at: Some(now),
        ended_by: by.as_str().to_owned(),
        ..row
    };
    subscriber::update(&tx, after.clone()).await?;
    app.commit(tx, entry).await?;
    tracing::info!(subscriber.id = %id, by = by.as_str(), "newsletter ended");
    Ok(after)
}

fn target(id: SubscriberId) -> String {
    format!("subscriber/{id}")
}

/// The caller's own address, and what was said for it.
pub(crate) async fn own(app: &App, caller: &Caller) -> Result<(String, Option<Model>), Error> {
    let owner = address::owner(app, caller).await?;
    let db = newest(&app.db);
    let account = account::find(db, owner).await?.ok_or(Error::UserNotFound)?;
    let found = subscriber::find_by_address(db, &account.email_folded).await?;
    Ok((account.email, found.filter(|row| !row.is(Status::Ended))))
}

/// Asks for the caller's own address, or ends it. An account may have been made by another, so its
/// address is asked, too.
pub(crate) async fn set_own(
    app: &App,
    caller: &Caller,
    subscribed: bool,
    text_version: &str,
) -> Result<(String, Option<Model>), Error> {
    let owner = address::owner(app, caller).await?;
    let must = || Error::Invalid(vec![Violation::new("text_version", "is no text of ours")]);
    let text = version(text_version).ok_or_else(must)?;
    let account = account::find(newest(&app.db), owner).await?.ok_or(Error::UserNotFound)?;
    if subscribed {
        let email = EmailAddress::parse(&account.email);
        let email = email.map_err(|e| Error::Invalid(vec![Violation::new("email", e)]))?;
        ask(app, &email, text, How::Account).await?;
    } else {
        let tx = app.db.begin().await?;
        let row = subscriber::find_by_address_for_update(&tx, &account.email_folded).await?;
        if let Some(row) = row {
            end(app, tx, row, End::Account, None).await?;
        }
    }
    own(app, caller).await
}

/// Ends somebody's for them: they wrote, or called.
pub(crate) async fn end_by_staff(
    app: &App,
    caller: &Caller,
    id: SubscriberId,
) -> Result<Model, Error> {
    app.admit(caller).await?;
    let tx = app.db.begin().await?;
    let row = subscriber::find_for_update(&tx, id).await?.ok_or(Error::SubscriberNotFound)?;
    end(app, tx, row, End::Staff, None).await
}

/// Those who confirmed, after this one and in order; and how many there are in all.
pub(crate) async fn recipients(
    app: &App,
    after: Option<SubscriberId>,
    limit: u64,
) -> Result<(Vec<SubscriberId>, u64), Error> {
    let db = newest(&app.db);
    let found = subscriber::confirmed(db, after, limit).await?;
    let counts: BTreeMap<String, u64> = subscriber::count(db).await?;
    Ok((found, counts.get(Status::Confirmed.as_str()).copied().unwrap_or_default()))
}

/// Where a letter to one of them goes at this moment. Who took it back, or whose account is shut,
/// gets none.
pub(crate) async fn recipient(app: &App, id: SubscriberId) -> Result<Recipient, Error> {
    let db = newest(&app.db);
    let row = subscriber::find(db, id).await?.filter(|row| row.is(Status::Confirmed));
    let row = row.ok_or(Error::SubscriberNotFound)?;
    let account = account::find_by_address(db, &row.email_folded).await?;
    if account.is_some_and(|account| !account.active) {
        return Err(Error::SubscriberNotFound);
    }
    let link = format!("/newsletter/unsubscribe?token={}", app.keys.unsubscribe(id));
    Ok(Recipient { email: row.email, link })
}
