//! Newsletters: written, ordered to be sent, put into the ledger part by part, called back. What
//! each letter says and where it goes is found out when it is sent.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use souk_audit::NewEntry;
use souk_auth::{Caller, Permission};
use souk_jobs::{ItemResult, Job, NewJob};
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{JobId, NewsletterId, NotificationId, SubscriberId, UserId};

use super::notice::blank;
use super::{App, Recipient};
use crate::domain::newsletter::{Fields, Item, LONGEST_DELAY_S, Status};
use crate::error::Error;
use crate::store::newsletter::{self, Model, as_user};
use crate::store::{letter, notification};

/// The kind of the job that sends one.
pub const JOB: &str = "send_newsletter";
/// What writes and sends newsletters: asked for again when one goes out.
pub(crate) const SENDER: Permission = Permission::UsersWrite;
/// As ledger and letters name it.
pub const KIND: &str = "newsletter";
/// Why a letter of a newsletter was not sent, as the ledger says it.
pub(crate) const CANCELLED: &str = "cancelled";
/// Its reader took the consent back, or is gone.
pub(crate) const UNSUBSCRIBED: &str = "unsubscribed";
/// Whoever ordered it may not send newsletters any more.
pub(crate) const REFUSED: &str = "refused";

/// What the job is to send.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Order {
    pub newsletter: NewsletterId,
}

/// A newsletter, and where it stands when its job is asked, too.
pub struct Standing {
    pub row: Model,
    pub status: Status,
}

impl App {
    pub(crate) async fn newsletter(&self, id: NewsletterId) -> Result<Standing, Error> {
        let row = newsletter::find(self.db.write(), id).await?.ok_or(Error::NewsletterNotFound)?;
        self.standing(row).await
    }

    /// A job that was cancelled before it began leaves a draft behind, one that failed something to
    /// be sent on.
    pub(crate) async fn standing(&self, row: Model) -> Result<Standing, Error> {
        let job = match row.job_id {
            Some(job) if row.is(Status::Sending) => self.jobs.get(job).await?,
            _ => None,
        };
        let status = status(&row, job.as_ref());
        Ok(Standing { row, status })
    }

    pub(crate) async fn create_newsletter(
        &self,
        caller: &Caller,
        fields: Fields,
    ) -> Result<Model, Error> {
        let Fields { subject, text, with_products } = fields.complete().map_err(refuse)?;
        let now = self.clock.now();
        let row = Model {
            id: NewsletterId::new(),
            subject: subject.unwrap_or_default(),
            text: text.unwrap_or_default(),
            with_products: with_products.unwrap_or_default(),
            products: None,
            status: Status::Draft.as_str().to_owned(),
            version: 1,
            created_by: caller.actor(),
            created_at: now,
            updated_at: now,
            job_id: None,
            sent_at: None,
        };
        let tx = self.db.begin().await?;
        newsletter::insert(&tx, row.clone()).await?;
        let entry = NewEntry::new("newsletter.created", target(row.id));
        self.audit.record(&tx, entry.change("subject", "", &row.subject)).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Changes a draft. What was so already is no change.
    pub(crate) async fn update_newsletter(
        &self,
        id: NewsletterId,
        fields: Fields,
        expected: Option<u64>,
    ) -> Result<Model, Error> {
        let seen = self.newsletter(id).await?;
        let Fields { subject, text, with_products } = fields.checked().map_err(refuse)?;
        let (tx, before) = self.hold_draft(&seen, expected).await?;
        let after = Model {
            subject: subject.unwrap_or_else(|| before.subject.clone()),
            text: text.unwrap_or_else(|| before.text.clone()),
            with_products: with_products.unwrap_or(before.with_products),
            ..before.clone()
        };
        if after == before {
            return Ok(before);
        }
        let version = before.version + 1;
        let after = Model {
            status: Status::Draft.as_str().to_owned(),
            job_id: None,
            version,
            updated_at: self.clock.now(),
            ..after
        };
        newsletter::update(&tx, after.clone()).await?;
        let entry = NewEntry::new("newsletter.changed", target(id))
            .change("subject", &before.subject, &after.subject)
            .change("with_products", before.with_products, after.with_products);
        let entry = if before.text == after.text { entry } else { entry.change("text", "", "new") };
        self.audit.record(&tx, entry).await?;
        tx.commit().await?;
        Ok(after)
    }

    pub(crate) async fn delete_newsletter(
        &self,
        id: NewsletterId,
        expected: Option<u64>,
    ) -> Result<Model, Error> {
        let seen = self.newsletter(id).await?;
        let (tx, row) = self.hold_draft(&seen, expected).await?;
        newsletter::delete(&tx, id).await?;
        let entry = NewEntry::new("newsletter.deleted", target(id));
        self.audit.record(&tx, entry.change("subject", &row.subject, "")).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Writes the job that sends it; until the time answered it can be cancelled without a trace.
    pub(crate) async fn send_newsletter(
        &self,
        caller: &Caller,
        id: NewsletterId,
        delay_s: Option<u32>,
        expected: Option<u64>,
    ) -> Result<(JobId, DateTime<Utc>), Error> {
        let seen = self.newsletter(id).await?;
        if delay_s.is_some_and(|delay| delay > LONGEST_DELAY_S) {
            let must = format!("must be at most {LONGEST_DELAY_S}");
            return Err(Error::InvalidFields(vec![Violation::new("delay_s", must)]));
        }
        let (tx, row) = self.hold(&seen, expected, &[Status::Draft, Status::Failed]).await?;
        let delay = delay_s.unwrap_or(self.newsletter_delay_s);
        let run_at = self.clock.now() + TimeDelta::seconds(i64::from(delay));
        let order = Order { newsletter: id };
        let job = NewJob {
            kind: JOB,
            params: serde_json::to_value(order).map_err(|e| Error::from(json(&e)))?,
            created_by: caller.actor(),
            run_at: Some(run_at),
        };
        let job = self.jobs.create(&tx, job).await?;
        let after = Model {
            status: Status::Sending.as_str().to_owned(),
            job_id: Some(job),
            version: row.version + 1,
            updated_at: self.clock.now(),
            ..row
        };
        newsletter::update(&tx, after).await?;
        let entry = NewEntry::new("newsletter.ordered", target(id)).change("job", "", job);
        self.audit.record(&tx, entry).await?;
        tx.commit().await?;
        self.jobs.wake();
        tracing::info!(newsletter.id = %id, job.id = %job, "newsletter ordered");
        Ok((job, run_at))
    }

    async fn hold_draft(
        &self,
        seen: &Standing,
        expected: Option<u64>,
    ) -> Result<(Tx, Model), Error> {
        self.hold(seen, expected, &[Status::Draft]).await
    }

    /// The row, locked, if it is as it was when its job was asked, and stands there.
    async fn hold(
        &self,
        seen: &Standing,
        expected: Option<u64>,
        allowed: &[Status],
    ) -> Result<(Tx, Model), Error> {
        let tx = self.db.begin().await?;
        let row = newsletter::find_for_update(&tx, seen.row.id).await?;
        let row = row.ok_or(Error::NewsletterNotFound)?;
        if expected.is_some_and(|expected| expected != row.version.unsigned_abs()) {
            return Err(Error::StaleVersion);
        }
        let unchanged = row.version == seen.row.version && row.status == seen.row.status;
        if !unchanged || !allowed.contains(&seen.status) {
            return Err(Error::NewsletterNotDraft);
        }
        Ok((tx, row))
    }

    /// What stands below the text, for everybody the same; the first time it is asked.
    pub(crate) async fn begin_newsletter(
        &self,
        id: NewsletterId,
        items: &[Item],
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let Some(row) = newsletter::find_for_update(&tx, id).await? else { return Ok(()) };
        if row.products.is_some() {
            return Ok(());
        }
        let products = serde_json::to_value(items).map_err(|e| Error::from(json(&e)))?;
        newsletter::update(&tx, Model { products: Some(products), ..row }).await?;
        Ok(tx.commit().await?)
    }

    /// Writes ledger rows and letters of one part; who has theirs is left out. They go out one after
    /// the other at the pace of the settings.
    pub(crate) async fn write_newsletter(
        &self,
        tx: &Tx,
        id: NewsletterId,
        subscribers: &[SubscriberId],
    ) -> Result<(), Error> {
        let known = newsletter::known(tx, id, subscribers).await?;
        let now = self.clock.now();
        let mut due = now;
        let (mut letters, mut entries) = (Vec::new(), Vec::new());
        for subscriber in subscribers.iter().filter(|s| !known.contains(s)) {
            let user_id = as_user(*subscriber);
            let recipient = Recipient { user_id, email: String::new(), name: String::new() };
            let letter = letter::Model {
                next_at: Some(due),
                kind: Some(KIND.to_owned()),
                newsletter_id: Some(id),
                ..blank(&recipient, now)
            };
            entries.push(notification::Model {
                id: NotificationId::new(),
                event_id: id.uuid(),
                user_id,
                recipient: String::new(),
                product_id: None,
                order_id: None,
                kind: KIND.to_owned(),
                reason: None,
                letter_id: Some(letter.id),
                created_at: now,
            });
            letters.push(letter);
            due += self.newsletter_gap;
        }
        letter::insert(tx, letters).await?;
        notification::insert(tx, entries).await?;
        Ok(())
    }

    /// Whether letters of it have not had their first attempt behind them.
    pub(crate) async fn is_newsletter_on_its_way(&self, id: NewsletterId) -> Result<bool, Error> {
        Ok(newsletter::outstanding(self.db.write(), id).await? > 0)
    }

    /// What became of the letters to these, each at its place; `missing`: of those that are not there
    /// any more.
    pub(crate) async fn newsletter_results(
        &self,
        id: NewsletterId,
        part: &[(u64, SubscriberId)],
        missing: &str,
    ) -> Result<Vec<ItemResult>, Error> {
        let subscribers: Vec<SubscriberId> = part.iter().map(|(_, id)| *id).collect();
        let mut outcomes = newsletter::outcomes(self.db.write(), id, &subscribers).await?;
        let result = |(position, subscriber): &(u64, SubscriberId)| {
            let outcome = outcomes.remove(subscriber);
            let (outcome, detail) = outcome.unwrap_or_else(|| (missing.to_owned(), String::new()));
            ItemResult { position: *position, key: subscriber.to_string(), outcome, detail }
        };
        Ok(part.iter().map(result).collect())
    }

    /// Everybody has their letter.
    pub(crate) async fn finish_newsletter(&self, id: NewsletterId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        self.close_newsletter(&tx, id, Status::Sent).await?;
        tx.commit().await?;
        tracing::info!(newsletter.id = %id, "newsletter sent");
        Ok(())
    }

    /// Letters of it that still wait are never sent.
    pub(crate) async fn cancel_newsletter(&self, id: NewsletterId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        self.close_newsletter(&tx, id, Status::Cancelled).await?;
        let letters = newsletter::suppress(&tx, id, CANCELLED).await?;
        tx.commit().await?;
        tracing::info!(newsletter.id = %id, letters, "newsletter cancelled");
        Ok(())
    }

    /// Whoever ordered it may not send newsletters any more: letters that were not tried yet are taken
    /// back, so that somebody else may send it on to everybody, or change it if nobody got it.
    pub(crate) async fn refuse_newsletter(
        &self,
        id: NewsletterId,
        job: JobId,
        by: UserId,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let row = newsletter::find_for_update(&tx, id).await?;
        // else it was refused before a crash
        let Some(row) = row.filter(|row| row.is(Status::Sending) && row.job_id == Some(job)) else {
            return Ok(());
        };
        let letters = newsletter::take_back(&tx, id).await?;
        let begun = newsletter::has_letters(&tx, id).await?;
        let status = if begun { Status::Failed } else { Status::Draft };
        let after = Model {
            status: status.as_str().to_owned(),
            products: row.products.filter(|_| begun),
            version: row.version + 1,
            updated_at: self.clock.now(),
            ..row
        };
        newsletter::update(&tx, after).await?;
        let entry = NewEntry::by_service("notifier", "newsletter.sent", target(id)).actor(by);
        self.audit.record(&tx, entry.refused("beyond_own_permissions")).await?;
        tx.commit().await?;
        tracing::warn!(newsletter.id = %id, user.id = %by, letters, "newsletter refused");
        Ok(())
    }

    async fn close_newsletter(
        &self,
        tx: &Tx,
        id: NewsletterId,
        status: Status,
    ) -> Result<(), Error> {
        let Some(row) = newsletter::find_for_update(tx, id).await? else { return Ok(()) };
        let now = self.clock.now();
        let after = Model {
            status: status.as_str().to_owned(),
            version: row.version + 1,
            updated_at: now,
            sent_at: (status == Status::Sent).then_some(now),
            ..row
        };
        Ok(newsletter::update(tx, after).await?)
    }
}

fn target(id: NewsletterId) -> String {
    format!("newsletter/{id}")
}

fn refuse(broken: Vec<(&'static str, String)>) -> Error {
    Error::InvalidFields(broken.into_iter().map(|(f, must)| Violation::new(f, must)).collect())
}

fn json(error: &serde_json::Error) -> souk_storage::DbErr {
    souk_storage::DbErr::Json(error.to_string())
}

/// Where a newsletter stands by its row and its job.
fn status(row: &Model, job: Option<&Job>) -> Status {
    let stored = Status::parse(&row.status).unwrap_or(Status::Failed);
    if stored != Status::Sending {
        return stored;
    }
    match job {
        Some(job) if job.status == souk_jobs::Status::Cancelled => match job.started_at {
            None => Status::Draft,
            Some(_) => Status::Cancelled,
        },
        Some(job) if job.status == souk_jobs::Status::Failed => Status::Failed,
        Some(_) => Status::Sending,
        // removed from the history before it was done
        None => Status::Failed,
    }
}
