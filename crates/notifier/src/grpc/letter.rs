//! `LetterService`: the ledger, letters, preferences.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use souk_proto::notifier::v1::letter_service_server::{LetterService, LetterServiceServer};
use souk_proto::notifier::v1::{
    CountNotificationsResponse, GetLetterRequest, GetMailboxStateRequest, GetPreferencesRequest,
    Letter, ListLettersRequest, ListLettersResponse, ListNotificationsRequest,
    ListNotificationsResponse, MailboxState, Notification, Preferences, SetPreferencesRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Violation};
use souk_values::{Cursor, EmailAddress, NewsletterId, Page, UserId};
use tonic::{Request, Response, Status};

use crate::app::newsletter::KIND;
use crate::app::{App, compose};
use crate::clients::accounts::Accounts;
use crate::domain::letter::{Status as LetterStatus, Words};
use crate::domain::request::Secret;
use crate::error::Error;
use crate::store::notification::NOBODY;
use crate::store::{letter, newsletter, notification, preference};

/// Answers `LetterService`.
pub struct Letters {
    app: App,
    accounts: Accounts,
    folder: bool,
}

impl Letters {
    /// `folder`: letters go to a folder of this machine.
    pub fn new(app: App, accounts: Accounts, folder: bool) -> Self {
        Self { app, accounts, folder }
    }

    pub fn into_server(self) -> LetterServiceServer<Self> {
        LetterServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl LetterService for Letters {
    async fn list_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let filter = fields.filter(&request);
        let page = fields.page(request.page.as_ref());
        let before = fields.cursor(&page);
        fields.check().map_err(refuse)?;
        let rows = notification::list(self.app.db.read(), &filter, before, more_than(&page)).await;
        let (rows, next_cursor) = cut(rows.map_err(storage)?, &page, |row| Cursor::encode(&row.id));
        let items = rows.into_iter().map(notification_to_proto).collect();
        Ok(Response::new(ListNotificationsResponse { items, next_cursor }))
    }

    async fn count_notifications(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<CountNotificationsResponse>, Status> {
        let mut fields = Fields::default();
        let filter = fields.filter(request.get_ref());
        fields.check().map_err(refuse)?;
        let counts = notification::count(self.app.db.read(), &filter).await.map_err(storage)?;
        let by_status = counts.into_iter().collect();
        Ok(Response::new(CountNotificationsResponse { by_status }))
    }

    async fn get_letter(
        &self,
        request: Request<GetLetterRequest>,
    ) -> Result<Response<Letter>, Status> {
        // what is no id names no letter
        let id = request.get_ref().id.parse().map_err(|_| refuse(Error::LetterNotFound))?;
        let found = letter::find(self.app.db.read(), id).await.map_err(storage)?;
        let found = found.ok_or_else(|| refuse(Error::LetterNotFound))?;
        let is_mailbox = self.is_mailbox(&request);
        let words = self.words(&found, is_mailbox).await.map_err(refuse)?;
        let letter = Letter {
            subject: words.subject,
            text: words.text,
            html: words.html,
            ..letter_to_proto(found)
        };
        Ok(Response::new(letter))
    }

    async fn list_letters(
        &self,
        request: Request<ListLettersRequest>,
    ) -> Result<Response<ListLettersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let status = fields.status(&request.status);
        let page = fields.page(request.page.as_ref());
        let before = fields.cursor(&page);
        fields.check().map_err(refuse)?;
        let rows = letter::list(self.app.db.read(), status, before, more_than(&page)).await;
        let (rows, next_cursor) = cut(rows.map_err(storage)?, &page, |row| Cursor::encode(&row.id));
        let subjects = self.subjects(&rows).await.map_err(refuse)?;
        let line = |row: letter::Model| {
            let subject = row.account_kind().map(|k| compose::request_subject(&self.app.shop, k));
            let subject = subject.or_else(|| subjects.get(&row.newsletter_id?).cloned());
            let letter = letter_to_proto(row);
            Letter { subject: subject.unwrap_or(letter.subject), ..letter }
        };
        let items = rows.into_iter().map(line).collect();
        Ok(Response::new(ListLettersResponse { items, next_cursor }))
    }

    async fn get_mailbox_state(
        &self,
        _request: Request<GetMailboxStateRequest>,
    ) -> Result<Response<MailboxState>, Status> {
        Ok(Response::new(MailboxState { folder: self.folder }))
    }

    async fn get_preferences(
        &self,
        request: Request<GetPreferencesRequest>,
    ) -> Result<Response<Preferences>, Status> {
        let user = user(&request).map_err(refuse)?;
        self.preferences(user).await
    }

    async fn set_preferences(
        &self,
        request: Request<SetPreferencesRequest>,
    ) -> Result<Response<Preferences>, Status> {
        let user = user(&request).map_err(refuse)?;
        let SetPreferencesRequest { product_notices, order_notices } = request.into_inner();
        if product_notices.is_some() || order_notices.is_some() {
            let set = self.app.set_preferences(user, product_notices, order_notices).await;
            set.map_err(refuse)?;
        }
        self.preferences(user).await
    }
}

impl Letters {
    /// Whether the gateway's mailbox page asks: the letters lie in a folder of this machine, and
    /// the page is for whoever sits at it.
    fn is_mailbox<T>(&self, request: &Request<T>) -> bool {
        let caller = souk_rpc::caller(request);
        self.folder && caller.user.is_none() && caller.service.as_deref() == Some("gateway")
    }

    /// What the letter says. Of a letter of accounts it is asked again there; codes and links are
    /// shown in the mailbox only, for whoever reads them at the desk could use them.
    async fn words(&self, letter: &letter::Model, is_mailbox: bool) -> Result<Words, Error> {
        let shop = &self.app.shop;
        if let Some(id) = letter.newsletter_id {
            return self.newsletter(letter, id, is_mailbox).await;
        }
        let Some(request) = letter.request_id else {
            return compose::words(&self.app.db, shop, letter).await;
        };
        let Some(kind) = letter.account_kind() else {
            return Ok(compose::not_kept(String::new()));
        };
        let may_be_read = is_mailbox || kind.secret() == Secret::None;
        let mail = if may_be_read { self.accounts.mail(request).await? } else { None };
        Ok(match mail {
            Some(mail) => compose::request(shop, kind, &mail, letter.created_at),
            None => compose::not_kept(compose::request_subject(shop, kind)),
        })
    }

    /// The link that ends it is its reader's: it is shown in the mailbox only.
    async fn newsletter(
        &self,
        letter: &letter::Model,
        id: NewsletterId,
        is_mailbox: bool,
    ) -> Result<Words, Error> {
        let Some(issue) = newsletter::find(self.app.db.read(), id).await? else {
            return Ok(compose::not_kept(String::new()));
        };
        let reader = newsletter::as_subscriber(letter.user_id);
        let recipient =
            if is_mailbox { self.accounts.newsletter_recipient(reader).await? } else { None };
        let link = recipient.map(|(_, link)| link).unwrap_or_default();
        Ok(compose::newsletter(&self.app.shop, &issue, &link))
    }

    /// Subjects of the newsletters among these letters.
    async fn subjects(
        &self,
        letters: &[letter::Model],
    ) -> Result<HashMap<NewsletterId, String>, Error> {
        let mut subjects = HashMap::new();
        for id in letters.iter().filter_map(|letter| letter.newsletter_id) {
            if subjects.contains_key(&id) {
                continue;
            }
            let issue = newsletter::find(self.app.db.read(), id).await?;
            let subject = issue.map(|issue| compose::newsletter_subject(&self.app.shop, &issue));
            subjects.insert(id, subject.unwrap_or_default());
        }
        Ok(subjects)
    }

    async fn preferences(&self, user: UserId) -> Result<Response<Preferences>, Status> {
        // one's own writing must be seen, so not from a replica
        let wishes = preference::of(self.app.db.write(), user).await.map_err(storage)?;
        let preference::Wishes { product_notices, order_notices } = wishes;
        Ok(Response::new(Preferences { product_notices, order_notices }))
    }
}

fn user<T>(request: &Request<T>) -> Result<UserId, Error> {
    souk_rpc::caller(request).user.map(|user| user.id).ok_or(Error::NoUser)
}

fn refuse(error: Error) -> Status {
    Failure::from(error).into()
}

fn storage<E: Into<Error>>(error: E) -> Status {
    refuse(error.into())
}

/// One more than asked for tells whether there is a next page.
fn more_than(page: &Page) -> u64 {
    u64::from(page.limit) + 1
}

fn cut<T>(mut rows: Vec<T>, page: &Page, cursor: impl Fn(&T) -> Cursor) -> (Vec<T>, String) {
    let limit = page.limit as usize;
    if rows.len() <= limit {
        return (rows, String::new());
    }
    rows.truncate(limit);
    let next = rows.last().map(|row| cursor(row).as_str().to_owned()).unwrap_or_default();
    (rows, next)
}

/// Reads fields and collects all that break a rule.
#[derive(Default)]
struct Fields(Vec<Violation>);

impl Fields {
    fn filter(&mut self, request: &ListNotificationsRequest) -> notification::Filter {
        notification::Filter {
            status: self.status(&request.status),
            recipient: self.read(
                "recipient",
                &request.recipient,
                "is not an e-mail address",
                |t| EmailAddress::parse(t).ok().map(|address| address.as_str().to_owned()),
            ),
            product_id: self
                .read("product_id", &request.product_id, "is not a product id", |t| t.parse().ok()),
            event_id: self
                .read("event_id", &request.event_id, "is not an event id", |t| t.parse().ok()),
            letter_id: self
                .read("letter_id", &request.letter_id, "is not a letter id", |t| t.parse().ok()),
            order_id: self
                .read("order_id", &request.order_id, "is not an order id", |t| t.parse().ok()),
        }
    }

    fn status(&mut self, text: &str) -> Option<LetterStatus> {
        let rule = "must be queued, sending, sent, failed or suppressed";
        self.read("status", text, rule, LetterStatus::parse)
    }

    /// Empty means any.
    fn read<T>(
        &mut self,
        field: &str,
        text: &str,
        rule: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        let value = parse(text);
        if value.is_none() {
            self.0.push(Violation::new(field, rule));
        }
        value
    }

    fn page(&mut self, page: Option<&PageRequest>) -> Page {
        let (limit, cursor) = page.map_or((0, ""), |p| (p.limit, p.cursor.as_str()));
        Page::new(limit, cursor).unwrap_or_else(|error| {
            self.0.push(Violation::new("limit", error));
            Page { limit: 1, cursor: None }
        })
    }

    fn cursor<T: DeserializeOwned>(&mut self, page: &Page) -> Option<T> {
        match page.cursor.as_ref()?.decode() {
            Ok(position) => Some(position),
            Err(error) => {
                self.0.push(Violation::new("cursor", error));
                None
            }
        }
    }

    fn check(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::InvalidFields(self.0)) }
    }
}

fn notification_to_proto(row: notification::Entry) -> Notification {
    // of a newsletter its subscriber stands there
    let is_nobody = row.user_id == NOBODY || row.kind == KIND;
    Notification {
        id: row.id.to_string(),
        event_id: row.event_id.to_string(),
        product_id: row.product_id.map(|id| id.to_string()).unwrap_or_default(),
        order_id: row.order_id.map(|id| id.to_string()).unwrap_or_default(),
        recipient: row.recipient,
        user_id: if is_nobody { String::new() } else { row.user_id.to_string() },
        status: row.status,
        attempts: row.attempts.unwrap_or(0).unsigned_abs(),
        provider_id: row.provider_id.unwrap_or_default(),
        reason: row.reason.unwrap_or_default(),
        letter_id: row.letter_id.map(|id| id.to_string()).unwrap_or_default(),
        created_at_us: row.created_at.timestamp_micros(),
        sent_at_us: micros(row.sent_at),
        kind: row.kind,
    }
}

fn letter_to_proto(row: letter::Model) -> Letter {
    Letter {
        id: row.id.to_string(),
        recipient: row.recipient,
        subject: row.subject.unwrap_or_default(),
        text: row.text.unwrap_or_default(),
        html: row.html.unwrap_or_default(),
        status: row.status,
        notifications: row.notifications.unsigned_abs(),
        digest: row.digest,
        created_at_us: row.created_at.timestamp_micros(),
        sent_at_us: micros(row.sent_at),
        attempts: row.attempts.unsigned_abs(),
        reason: row.reason.unwrap_or_default(),
        provider_id: row.provider_id.unwrap_or_default(),
    }
}

fn micros(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.timestamp_micros())
}
