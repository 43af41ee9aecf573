//! The job that sends a newsletter: some letters at a time, the next ones when those had their first
//! attempt. So other letters never wait behind a whole newsletter, and whoever cancels is heard. Whoever
//! ordered it must be able to for as long as it lasts.
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use souk_jobs::{ItemResult, Job, JobContext, JobError, JobHandler, Progress};
use souk_rpc::Kind;
use souk_values::{JobId, NewsletterId, SubscriberId, UserId};

use crate::app::App;
use crate::app::newsletter::{JOB, Order, REFUSED, SENDER};
use crate::clients::accounts::Accounts;
use crate::clients::catalog::Catalog;
use crate::domain::newsletter::PRODUCTS;
use crate::error::Error;

/// Letters of one part.
const AT_ONCE: u32 = 100;
/// How often it is looked whether a part has left.
const TICK: Duration = Duration::from_millis(200);
/// How often it is asked, while a part leaves, whether whoever ordered it still may.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// Until accounts that was away is asked again.
const AWAY: TimeDelta = TimeDelta::seconds(60);
/// What the job says when they may not.
const NOT_ENTITLED: &str = "whoever ordered it may not send newsletters any more";
/// What became of a letter that is older than the ledger.
const FORGOTTEN: &str = "forgotten";

/// Sends newsletters.
pub struct SendNewsletter {
    app: App,
    accounts: Accounts,
    catalog: Catalog,
}

impl SendNewsletter {
    pub fn new(app: App, accounts: Accounts, catalog: Catalog) -> Self {
        Self { app, accounts, catalog }
    }
}

/// How far the last attempt came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// Who was asked for last.
    after: Option<SubscriberId>,
    done: u64,
    total: u64,
    /// Whose letters are written and on their way, each with its place.
    part: Vec<(u64, SubscriberId)>,
}

#[async_trait::async_trait]
impl JobHandler for SendNewsletter {
    fn kind(&self) -> &'static str {
        JOB
    }

    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let order: Order = serde_json::from_value(job.params.clone())
            .map_err(|e| JobError::Fatal(e.to_string()))?;
        let saved: Option<Checkpoint> = serde_json::from_value(ctx.checkpoint()).ok();
        let is_new = saved.is_none();
        let mut work = Work {
            of: self,
            ctx,
            job: job.id,
            id: order.newsletter,
            by: job.created_by.parse().ok(),
            asked_at: None,
            at: saved.unwrap_or_default(),
            counts: job.counts.clone(),
        };
        if is_new {
            work.check().await?;
            self.begin(order.newsletter).await.map_err(retry)?;
        }
        work.run().await
    }
}

impl SendNewsletter {
    async fn begin(&self, id: NewsletterId) -> Result<(), Error> {
        let standing = self.app.newsletter(id).await?;
        let wanted = standing.row.with_products && standing.row.products.is_none();
        let items = if wanted { self.catalog.newest(PRODUCTS).await? } else { Vec::new() };
        self.app.begin_newsletter(id, &items).await
    }
}

/// One attempt.
struct Work<'a> {
    of: &'a SendNewsletter,
    ctx: &'a JobContext,
    job: JobId,
    id: NewsletterId,
    /// Who ordered it; none: no person.
    by: Option<UserId>,
    /// When it was asked last whether they still may.
    asked_at: Option<DateTime<Utc>>,
    at: Checkpoint,
    counts: BTreeMap<String, u64>,
}

impl Work<'_> {
    async fn run(mut self) -> Result<(), JobError> {
        let (app, accounts) = (&self.of.app, &self.of.accounts);
        loop {
            if !self.at.part.is_empty() {
                self.wait().await?;
                self.settle(FORGOTTEN).await.map_err(retry)?;
            }
            if self.ctx.stopping() {
                return Err(self.stop().await);
            }
            self.check().await?;
            let found = accounts.newsletter_recipients(self.at.after, AT_ONCE).await;
            let (subscribers, total) = found.map_err(|error| self.unanswered(error))?;
            let Some(last) = subscribers.last() else {
                return app.finish_newsletter(self.id).await.map_err(retry);
            };
            let at = &mut self.at;
            at.after = Some(*last);
            at.total = total.max(at.done + subscribers.len() as u64);
            at.part = (at.done + 1..).zip(subscribers.iter().copied()).collect();
            let tx = app.db.begin().await?;
            app.write_newsletter(&tx, self.id, &subscribers).await.map_err(retry)?;
            self.ctx.save(&tx, self.progress(Vec::new())).await?;
            tx.commit().await?;
            app.wake();
        }
    }

    /// Goes on only while whoever ordered it may send newsletters.
    async fn check(&mut self) -> Result<(), JobError> {
        match self.may().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.refuse().await),
            Err(error) => Err(self.unanswered(error)),
        }
    }

    async fn may(&mut self) -> Result<bool, Error> {
        self.asked_at = Some(self.of.app.clock.now());
        match self.by {
            Some(by) => self.of.accounts.may(by, SENDER).await,
            None => Ok(true),
        }
    }

    /// Until every letter of the part had its first attempt.
    async fn wait(&mut self) -> Result<(), JobError> {
        let app = &self.of.app;
        while app.is_newsletter_on_its_way(self.id).await.map_err(retry)? {
            let now = app.clock.now();
            // while accounts is away no letter leaves: it is asked for the address, too
            if self.asked_at.is_none_or(|asked| now - asked >= ASK_AGAIN)
                && let Ok(false) = self.may().await
            {
                return Err(self.refuse().await);
            }
            tokio::select! {
                () = self.ctx.until_stopping() => return Err(self.stop().await),
                () = tokio::time::sleep(TICK) => {}
            }
        }
        Ok(())
    }

    /// What became of the part, into the job; `missing`: of letters that are not there any more.
    async fn settle(&mut self, missing: &str) -> Result<(), Error> {
        let results = self.of.app.newsletter_results(self.id, &self.at.part, missing).await?;
        for result in &results {
            *self.counts.entry(result.outcome.clone()).or_default() += 1;
        }
        self.at.done += results.len() as u64;
        self.at.part.clear();
        Ok(self.ctx.save_now(self.progress(results)).await?)
    }

    /// An admin says so: what waits is never sent, and the results say it. Else it goes on later.
    async fn stop(&mut self) -> JobError {
        let stopped = self.ctx.stopped();
        if !matches!(stopped, JobError::Cancelled) {
            return stopped;
        }
        let ended = match self.of.app.cancel_newsletter(self.id).await {
            Ok(()) => self.settle(FORGOTTEN).await,
            Err(error) => Err(error),
        };
        ended.map_or_else(retry, |()| stopped)
    }

    /// Whoever ordered it may not any more: nothing more is sent, until somebody else orders it.
    async fn refuse(&mut self) -> JobError {
        let Some(by) = self.by else { return JobError::Fatal(NOT_ENTITLED.to_owned()) };
        let ended = match self.of.app.refuse_newsletter(self.id, self.job, by).await {
            Ok(()) => self.settle(REFUSED).await,
            Err(error) => Err(error),
        };
        ended.map_or_else(retry, |()| JobError::Fatal(NOT_ENTITLED.to_owned()))
    }

    /// Accounts that is away is waited for.
    fn unanswered(&self, error: Error) -> JobError {
        match &error {
            Error::AccountsAway(failure)
                if matches!(failure.kind, Kind::Unavailable | Kind::Timeout | Kind::Exhausted) =>
            {
                let at = self.of.app.clock.now() + AWAY;
                JobError::Later { at, message: error.to_string() }
            }
            _ => retry(error),
        }
    }

    fn progress(&self, results: Vec<ItemResult>) -> Progress {
        Progress {
            done: self.at.done,
            total: self.at.total,
            message: String::new(),
            counts: self.counts.clone(),
            checkpoint: serde_json::to_value(&self.at).unwrap_or_default(),
            results,
        }
    }
}

fn retry(error: Error) -> JobError {
    JobError::Retry(error.into())
}
