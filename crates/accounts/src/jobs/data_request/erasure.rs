//! Erases a person: asks whether whoever ordered it may still and whether anything stands against it,
//! shuts the account, then goes from service to service, accounts last; and once more, for what was on
//! its way meanwhile.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use souk_jobs::{ItemResult, Job, JobContext, JobError, JobHandler, Progress};
use souk_rpc::{Failure, Kind as FailureKind};
use souk_service::personal::{Keeper, Person};
use souk_values::UserId;

use super::{failed, not_yet, retry, user};
use crate::app::data_request::{self, LOOKS_AGAIN, erasure};
use crate::clients::keeper;
use crate::domain::data_request::Kind;
use crate::{App, Error};

/// Until somebody who is away is asked again.
const AWAY: TimeDelta = TimeDelta::seconds(60);
/// What the job says of an admin who lost their power before it began.
const NOT_ENTITLED: &str = "whoever ordered it may not decide about this account any more";

pub(crate) struct ErasePerson {
    pub(crate) app: Arc<App>,
}

/// How far the last attempt came.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// Whoever ordered it may not any more, and its owner was told.
    #[serde(default)]
    refused: bool,
    /// The account is shut: from here on there is only forward.
    shut: bool,
    /// Services that have answered in this round.
    next: usize,
    /// 0, and 1 for what was on its way.
    round: usize,
}

#[async_trait::async_trait]
impl JobHandler for ErasePerson {
    fn kind(&self) -> &'static str {
        Kind::Erasure.job()
    }

    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let keepers = data_request::keepers(&self.app);
        if keepers.is_empty() {
            return Err(not_yet());
        }
        let at: Checkpoint = serde_json::from_value(ctx.checkpoint()).unwrap_or_default();
        let mut work = Work { app: &self.app, ctx, keepers: &keepers, at };
        let owner = user(job)?;
        let mut person = data_request::person(&self.app, owner).await.map_err(retry)?;
        if !work.at.shut {
            if ctx.stopping() {
                return Err(ctx.stopped());
            }
            work.check(&job.created_by, owner).await?;
            work.ask(&person).await?;
            work.shut(&person).await?;
            // whoever asked for another address until now
            person = data_request::person(&self.app, owner).await.map_err(retry)?;
        }
        work.round(&person).await?;
        let pause = self.app.erasure_second_look();
        if work.at.round == 0 && pause > TimeDelta::zero() {
            work.at = Checkpoint { next: 0, round: 1, ..work.at };
            ctx.save_now(work.progress(None)).await?;
            return Err(work.later(pause, LOOKS_AGAIN.to_owned()));
        }
        let tx = self.app.db().begin().await?;
        erasure::done(&self.app, &tx, owner, job.id).await.map_err(retry)?;
        ctx.save(&tx, work.progress(None)).await?;
        Ok(tx.commit().await?)
    }
}

struct Work<'a> {
    app: &'a App,
    ctx: &'a JobContext,
    keepers: &'a [Keeper],
    at: Checkpoint,
}

impl Work<'_> {
    /// Nothing is touched for who could not order it now.
    async fn check(&mut self, by: &str, owner: UserId) -> Result<(), JobError> {
        if !self.at.refused {
            let tx = self.app.db().begin().await?;
            if erasure::may_begin(self.app, &tx, by, owner).await.map_err(retry)? {
                return Ok(());
            }
            self.at.refused = true;
            self.ctx.save(&tx, self.progress(None)).await?;
            erasure::close(self.app, tx, &[]).await.map_err(retry)?;
        }
        Err(JobError::Fatal(NOT_ENTITLED.to_owned()))
    }

    /// Nothing is touched while anything stands against it.
    async fn ask(&self, person: &Person) -> Result<(), JobError> {
        let mut against = Vec::new();
        for keeper in self.keepers {
            match keeper::holds(keeper, person).await {
                Ok(holds) => {
                    against.extend(holds.into_iter().map(|h| format!("{}: {h}", keeper.name)));
                }
                Err(failure) => return Err(self.unanswered(keeper, &failure)),
            }
        }
        if against.is_empty() {
            Ok(())
        } else {
            Err(self.later(self.app.erasure_recheck(), against.join("; ")))
        }
    }

    async fn shut(&mut self, person: &Person) -> Result<(), JobError> {
        let tx = self.app.db().begin().await?;
        let ended = match erasure::shut(self.app, &tx, person.id).await {
            Ok(ended) => ended,
            // the other one went while we asked
            Err(Error::LastAdmin) => {
                let message = format!("accounts: {}", Error::LastAdmin.reason());
                return Err(self.later(self.app.erasure_recheck(), message));
            }
            Err(error) => return Err(retry(error)),
        };
        self.at.shut = true;
        self.ctx.save(&tx, self.progress(None)).await?;
        erasure::close(self.app, tx, &ended).await.map_err(retry)
    }

    /// Every service that has not answered in this round.
    async fn round(&mut self, person: &Person) -> Result<(), JobError> {
        while let Some(keeper) = self.keepers.get(self.at.next) {
            // half an erasure helps nobody: what an admin cancels now goes on to its end
            if self.ctx.stopping() {
                match self.ctx.stopped() {
                    JobError::Cancelled => {}
                    stopped => return Err(stopped),
                }
            }
            let erased = match keeper::erase(keeper, person).await {
                Ok(erased) => erased,
                Err(failure) if failure.kind == FailureKind::Conflict => {
                    let subjects = failure.metadata.get("subjects").cloned().unwrap_or_default();
                    let message = format!("{}: {} {subjects}", keeper.name, failure.reason);
                    return Err(self.later(self.app.erasure_recheck(), message));
                }
                Err(failure) => return Err(self.unanswered(keeper, &failure)),
            };
            let (records, entries) = (erased.records, erased.audit_entries);
            let result = ItemResult {
                position: (self.at.round * self.keepers.len() + self.at.next) as u64,
                key: keeper.name.to_owned(),
                outcome: if records + entries > 0 { "erased" } else { "nothing" }.to_owned(),
                detail: format!("{records} records, {entries} audit entries"),
            };
            self.at.next += 1;
            self.ctx.save_now(self.progress(Some(result))).await?;
        }
        Ok(())
    }

    /// Who is away is waited for, however long it takes.
    fn unanswered(&self, keeper: &Keeper, failure: &Failure) -> JobError {
        match failure.kind {
            FailureKind::Unavailable | FailureKind::Timeout | FailureKind::Exhausted => {
                self.later(AWAY, format!("{}: {}", keeper.name, failure.reason))
            }
            _ => failed(keeper, failure),
        }
    }

    fn later(&self, pause: TimeDelta, message: String) -> JobError {
        JobError::Later { at: self.app.now() + pause, message }
    }

    fn progress(&self, result: Option<ItemResult>) -> Progress {
        let rounds = if self.app.erasure_second_look() > TimeDelta::zero() { 2 } else { 1 };
        let done = usize::from(self.at.shut) + self.at.round * self.keepers.len() + self.at.next;
        Progress {
            done: done as u64,
            total: (1 + rounds * self.keepers.len()) as u64,
            message: String::new(),
            checkpoint: serde_json::to_value(self.at).unwrap_or_default(),
            results: result.into_iter().collect(),
            ..Progress::default()
        }
    }
}
