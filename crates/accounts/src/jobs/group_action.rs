//! The job behind an action over many accounts: some at a time, each part in one transaction with
//! its progress, so that a crash repeats nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use souk_jobs::{Job, JobContext, JobError, JobHandler, Progress};
use souk_storage::{Tx, raced};
use souk_values::UserId;

use crate::app::group_action::{self, Item, Order, Performed};
use crate::domain::group_action::Action;
use crate::{App, Error};

/// Accounts of one transaction.
const AT_ONCE: usize = 20;
/// How often a part is begun that others were in the way of.
const TRIES: u32 = 5;

pub(crate) struct GroupAction {
    pub(crate) app: Arc<App>,
    pub(crate) action: Action,
}

/// How far the last attempt came.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Checkpoint {
    /// Accounts done, also those skipped.
    next: u64,
    total: u64,
    /// Of inactive accounts: who became so later is not meant.
    cutoff: DateTime<Utc>,
    /// The last account that was looked at.
    after: Option<UserId>,
}

#[async_trait::async_trait]
impl JobHandler for GroupAction {
    fn kind(&self) -> &'static str {
        self.action.job()
    }

    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let order: Order = serde_json::from_value(job.params.clone())
            .map_err(|e| JobError::Fatal(e.to_string()))?;
        let mut at = match serde_json::from_value(ctx.checkpoint()) {
            Ok(at) => at,
            Err(_) => self.begin(&order).await.map_err(retry)?,
        };
        let mut counts = job.counts.clone();
        loop {
            let items = self.items(&order, &at).await.map_err(retry)?;
            let Some(last) = items.last() else { return Ok(()) };
            if ctx.stopping() {
                return Err(ctx.stopped());
            }
            at.next = last.position + 1;
            at.after = Some(last.user);
            let (tx, performed) = self.perform(&order, &at, &items).await?;
            for result in &performed.results {
                *counts.entry(result.outcome.clone()).or_default() += 1;
            }
            ctx.save(&tx, progress(&at, &counts, &performed)).await?;
            group_action::close(&self.app, tx, performed).await.map_err(retry)?;
        }
    }
}

impl GroupAction {
    async fn begin(&self, order: &Order) -> Result<Checkpoint, Error> {
        let cutoff = group_action::cutoff(&self.app);
        let total = if self.action == Action::DeleteInactive {
            group_action::count_inactive(&self.app, cutoff).await?
        } else {
            order.users.len() as u64
        };
        Ok(Checkpoint { next: 0, total, cutoff, after: None })
    }

    /// The accounts of the next part; none: the end.
    async fn items(&self, order: &Order, at: &Checkpoint) -> Result<Vec<Item>, Error> {
        let users = if self.action == Action::DeleteInactive {
            let limit = AT_ONCE as u64;
            group_action::inactive(&self.app, at.cutoff, at.after, limit).await?
        } else {
            let done = usize::try_from(at.next).unwrap_or(usize::MAX);
            order.users.iter().skip(done).take(AT_ONCE).copied().collect()
        };
        let placed = (at.next..).zip(users);
        Ok(placed.map(|(position, user)| Item { position, user }).collect())
    }

    async fn perform(
        &self,
        order: &Order,
        at: &Checkpoint,
        items: &[Item],
    ) -> Result<(Tx, Performed), JobError> {
        let mut tries = 1;
        loop {
            let tx = self.app.db().begin().await?;
            let items = items.to_vec();
            match group_action::perform(&self.app, &tx, order, at.cutoff, items).await {
                Ok(performed) => return Ok((tx, performed)),
                Err(Error::Storage(error)) if raced(&error) && tries < TRIES => tries += 1,
                Err(error) => return Err(retry(error)),
            }
            tx.rollback().await?;
        }
    }
}

fn progress(at: &Checkpoint, counts: &BTreeMap<String, u64>, performed: &Performed) -> Progress {
    Progress {
        done: at.next,
        total: at.total.max(at.next),
        message: String::new(),
        counts: counts.clone(),
        checkpoint: serde_json::to_value(at).unwrap_or_default(),
        results: performed.results.clone(),
    }
}

fn retry(error: Error) -> JobError {
    JobError::Retry(error.into())
}
