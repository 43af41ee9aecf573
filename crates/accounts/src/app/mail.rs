//! Letters of accounts: asked for in the transaction of what they tell, answered to notifier when it
//! sends them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use souk_events::NewEvent;
use souk_events::registry::LETTER_REQUESTED;
use souk_proto::events::v1::LetterRequested;
use souk_storage::Tx;
use souk_values::{MailRequestId, UserId};

use super::App;
use crate::Error;
use crate::domain::mail::{Kind, Secret};
use crate::store::mail_request::{self, Model};
use crate::store::{account, newest};

/// A letter to be sent.
pub(crate) struct NewMail {
    pub(crate) kind: Kind,
    pub(crate) to: To,
    /// What it tells, by the names of `souk.accounts.v1.Fact`.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// When code or link are worth nothing any more.
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Whom a letter is for.
pub(crate) enum To {
    /// The account's address at the time of sending.
    Account(UserId),
    /// An address that is not, or no longer, the account's.
    Address { account: Option<UserId>, email: String, name: String },
}

/// Writes the request for a letter; the event that asks for it goes out with the same transaction.
pub(crate) async fn request(
    app: &App,
    tx: &Tx,
    mail: NewMail,
) -> Result<(MailRequestId, NewEvent), Error> {
    let id = MailRequestId::new();
    let (account_id, email, name) = match mail.to {
        To::Account(id) => (Some(id), None, String::new()),
        To::Address { account, email, name } => (account, Some(email), name),
    };
    let facts = mail.facts.iter().map(|(name, value)| json!([name, value])).collect();
    let row = Model {
        id,
        kind: mail.kind.as_str().to_owned(),
        account_id,
        email,
        name,
        facts,
        created_at: app.clock.now(),
        expires_at: mail.expires_at,
        ended_at: None,
    };
    mail_request::insert(tx, row).await?;
    let message = LetterRequested {
        request_id: id.to_string(),
        kind: mail.kind.as_str().to_owned(),
        user_id: account_id.map(|id| id.to_string()).unwrap_or_default(),
    };
    let event = NewEvent::new(LETTER_REQUESTED, format!("mail/{id}"), id.to_string(), 1, &message);
    Ok((id, event))
}

/// Tells the owner of an address that somebody else wants to use it: they are told, not whoever
/// tries. At most once an hour; the row of the owner is locked for that.
pub(super) async fn warn_owner(
    app: &App,
    tx: &Tx,
    owner: UserId,
) -> Result<Option<NewEvent>, Error> {
    account::find_for_update(tx, owner).await?;
    let since = app.clock.now() - TimeDelta::hours(1);
    let kind = Kind::AddressInUse;
    if mail_request::count_since(tx, owner, kind.as_str(), since).await? > 0 {
        return Ok(None);
    }
    let mail = NewMail { kind, to: To::Account(owner), facts: Vec::new(), expires_at: None };
    Ok(Some(request(app, tx, mail).await?.1))
}

/// What a letter says now.
pub(crate) struct Content {
    pub(crate) request: Model,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) link: String,
    pub(crate) obsolete: bool,
}

pub(crate) async fn content(app: &App, id: MailRequestId) -> Result<Content, Error> {
    let db = newest(&app.db);
    let request = mail_request::find(db, id).await?.ok_or(Error::MailNotFound)?;
    let account = match request.account_id {
        Some(id) => account::find(db, id).await?,
        None => None,
    };
    let gone = request.email.is_none() && account.is_none();
    let address = account.as_ref().map(|account| account.email.clone()).unwrap_or_default();
    let called = account.map(|a| if a.full_name.is_empty() { a.username } else { a.full_name });
    let secret = Kind::parse(&request.kind).map_or(Secret::None, Kind::secret);
    let (code, link) = match secret {
        Secret::None => (String::new(), String::new()),
        Secret::Code => (app.keys.code(id), String::new()),
        Secret::Link(path) => (String::new(), format!("{path}?token={}", app.keys.link(id))),
    };
    Ok(Content {
        email: request.email.clone().unwrap_or(address),
        name: if request.name.is_empty() {
            called.unwrap_or_default()
        } else {
            request.name.clone()
        },
        code,
        link,
        obsolete: gone || request.is_obsolete(app.clock.now()),
        request,
    })
}
