//! The job that sends a newsletter: some letters at a time, the next ones when those had their first
//! attempt. So other letters never wait behind a whole newsletter, and whoever cancels is heard.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_jobs::{ItemResult, Job, JobContext, JobError, JobHandler, Progress};
use souk_values::{NewsletterId, SubscriberId};

use crate::app::App;
use crate::app::newsletter::{JOB, Order};
use crate::clients::accounts::Accounts;
use crate::clients::catalog::Catalog;
use crate::domain::newsletter::PRODUCTS;
use crate::error::Error;

/// Letters of one part.
const AT_ONCE: u32 = 100;
/// How often it is looked whether a part has left.
const TICK: Duration = Duration::from_millis(200);

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
        let id = order.newsletter;
        let mut at: Checkpoint = match serde_json::from_value(ctx.checkpoint()) {
            Ok(at) => at,
            Err(_) => {
                self.begin(id).await.map_err(retry)?;
                Checkpoint::default()
            }
        };
        let mut counts = job.counts.clone();
        loop {
            if !at.part.is_empty() {
                self.wait(ctx, id, &at, &counts).await?;
                let results = self.app.newsletter_results(id, &at.part).await.map_err(retry)?;
                count(&mut counts, &results);
                at.done += results.len() as u64;
                at.part.clear();
                ctx.save_now(progress(&at, &counts, results)).await?;
            }
            if ctx.stopping() {
                return Err(self.stop(ctx, id, &at, &counts).await);
            }
            let found = self.accounts.newsletter_recipients(at.after, AT_ONCE).await;
            let (subscribers, total) = found.map_err(retry)?;
            let Some(last) = subscribers.last() else {
                return self.app.finish_newsletter(id).await.map_err(retry);
            };
            at.after = Some(*last);
            at.total = total.max(at.done + subscribers.len() as u64);
            at.part = (at.done + 1..).zip(subscribers.iter().copied()).collect();
            let tx = self.app.db.begin().await?;
            self.app.write_newsletter(&tx, id, &subscribers).await.map_err(retry)?;
            ctx.save(&tx, progress(&at, &counts, Vec::new())).await?;
            tx.commit().await?;
            self.app.wake();
        }
    }
}

impl SendNewsletter {
    async fn begin(&self, id: NewsletterId) -> Result<(), Error> {
        let standing = self.app.newsletter(id).await?;
        let wanted = standing.row.with_products && standing.row.products.is_none();
        let items = if wanted { self.catalog.newest(PRODUCTS).await? } else { Vec::new() };
        self.app.begin_newsletter(id, &items).await
    }

    /// Until every letter of the part had its first attempt.
    async fn wait(
        &self,
        ctx: &JobContext,
        id: NewsletterId,
        at: &Checkpoint,
        counts: &BTreeMap<String, u64>,
    ) -> Result<(), JobError> {
        while self.app.is_newsletter_on_its_way(id).await.map_err(retry)? {
            tokio::select! {
                () = ctx.until_stopping() => return Err(self.stop(ctx, id, at, counts).await),
                () = tokio::time::sleep(TICK) => {}
            }
        }
        Ok(())
    }

    /// An admin says so: what waits is never sent, and the results say it. Else it goes on later.
    async fn stop(
        &self,
        ctx: &JobContext,
        id: NewsletterId,
        at: &Checkpoint,
        counts: &BTreeMap<String, u64>,
    ) -> JobError {
        let stopped = ctx.stopped();
        if !matches!(stopped, JobError::Cancelled) {
            return stopped;
        }
        let cancelled = async {
            self.app.cancel_newsletter(id).await?;
            let results = self.app.newsletter_results(id, &at.part).await?;
            let (mut at, mut counts) = (at.clone(), counts.clone());
            count(&mut counts, &results);
            at.done += results.len() as u64;
            at.part.clear();
            ctx.save_now(progress(&at, &counts, results)).await.map_err(Error::from)
        };
        match cancelled.await {
            Ok(()) => stopped,
            Err(error) => retry(error),
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, results: &[ItemResult]) {
    for result in results {
        *counts.entry(result.outcome.clone()).or_default() += 1;
    }
}

fn progress(at: &Checkpoint, counts: &BTreeMap<String, u64>, results: Vec<ItemResult>) -> Progress {
    Progress {
        done: at.done,
        total: at.total,
        message: String::new(),
        counts: counts.clone(),
        checkpoint: serde_json::to_value(at).unwrap_or_default(),
        results,
    }
}

fn retry(error: Error) -> JobError {
    JobError::Retry(error.into())
}
