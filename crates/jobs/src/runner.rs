//! The loop that claims jobs and runs them.
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use uuid::Uuid;

use crate::lease::{Interrupted, Lease};
use crate::store::job::{LEASE, Model};
use crate::store::{self, Ending};
use crate::{Job, JobContext, JobError, JobHandler, Jobs};

const POLL: Duration = Duration::from_secs(1);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What a handler has to end in after the process was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Waits before the second, third and fourth attempt.
const DELAYS: [Duration; 3] =
    [Duration::from_secs(10), Duration::from_secs(30), Duration::from_secs(60)];
/// A job whose runner vanished so often without any progress is what kills it.
const MOST_CRASHES: i32 = 10;

pub(crate) struct Runner {
    jobs: Jobs,
    handlers: Vec<Arc<dyn JobHandler>>,
    stop: CancellationToken,
}

impl Runner {
    pub(crate) fn new(
        jobs: Jobs,
        handlers: Vec<Arc<dyn JobHandler>>,
        stop: CancellationToken,
    ) -> Self {
        Self { jobs, handlers, stop }
    }

    pub(crate) async fn run(self) {
        let kinds: Vec<&'static str> = self.handlers.iter().map(|h| h.kind()).collect();
        while !self.stop.is_cancelled() {
            match self.claim(&kinds).await {
                Ok(Some((lease, row))) => self.work(lease, row).await,
                Ok(None) => self.rest().await,
                Err(error) => {
                    tracing::warn!(error = %error, "jobs cannot be claimed");
                    self.rest().await;
                }
            }
        }
    }

    async fn rest(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.jobs.shared.wake.notified() => {}
            () = sleep(POLL) => {}
        }
    }

    async fn claim(
        &self,
        kinds: &[&'static str],
    ) -> Result<Option<(Lease, Model)>, sea_orm::DbErr> {
        if kinds.is_empty() {
            return Ok(None);
        }
        let Jobs { db, clock, shared } = &self.jobs;
        if !db.is_postgres() && !shared.freed.load(Ordering::SeqCst) {
            store::free_all(db, clock.now()).await?;
            shared.freed.store(true, Ordering::SeqCst);
        }
        let claim = Uuid::new_v4();
        let row = store::claim(db, kinds, clock.now(), claim).await?;
        Ok(row.map(|row| {
            let lease = Lease {
                job: row.id,
                claim,
                cancelled: CancellationToken::new(),
                lost: CancellationToken::new(),
                stop: self.stop.clone(),
            };
            (lease, row)
        }))
    }

    /// Runs one claimed job to the end of this attempt.
    async fn work(&self, lease: Lease, row: Model) {
        let Some(handler) = self.handlers.iter().find(|h| h.kind() == row.kind) else { return };
        let span = tracing::info_span!("job", job.id = %row.id, job.kind = handler.kind());
        let began = Instant::now();
        let failures = row.failures;
        self.jobs.shared.begins(lease.job, lease.cancelled.clone());
        let ending = self.attempt(handler.as_ref(), &lease, row).instrument(span.clone()).await;
        self.jobs.shared.ends(lease.job);
        let Some(ending) = ending.map(|result| self.ending(&lease, failures, result)) else {
            span.in_scope(|| tracing::warn!("lease lost, another runner goes on"));
            return;
        };
        let word = match &ending {
            Ending::Succeeded => "succeeded",
            Ending::Failed { .. } => "failed",
            Ending::Cancelled => "cancelled",
            Ending::Again { .. } => "retried",
            Ending::Later { .. } => "put_off",
            Ending::Released => "released",
        };
        let labels = [("kind", handler.kind()), ("ending", word)];
        metrics::counter!("souk_job_attempts_total", &labels).increment(1);
        metrics::histogram!("souk_job_attempt_seconds", &labels).record(began.elapsed());
        self.settle(&lease, &ending).instrument(span.clone()).await;
        span.in_scope(|| tracing::info!(job.ending = word, "job attempt ended"));
    }

    /// `None`: the lease was lost.
    async fn attempt(
        &self,
        handler: &dyn JobHandler,
        lease: &Lease,
        row: Model,
    ) -> Option<Result<(), JobError>> {
        if row.cancel_requested {
            return Some(Err(JobError::Cancelled));
        }
        if row.crashes >= MOST_CRASHES {
            let message = format!("the process ended {MOST_CRASHES} times while this job ran");
            return Some(Err(JobError::Fatal(message)));
        }
        // a task of its own: a handler that computes for long must not lose its lease
        let beat = heartbeats(self.jobs.clone(), lease.clone()).in_current_span();
        let _beating = AbortOnDropHandle::new(tokio::spawn(beat));
        let Jobs { db, clock, .. } = &self.jobs;
        let checkpoint = row.checkpoint.clone();
        let ctx = JobContext::new(db.clone(), clock.clone(), lease.clone(), checkpoint);
        let job = Job::from(row);
        let run = AssertUnwindSafe(handler.run(&ctx, &job)).catch_unwind();
        let too_late = async {
            lease.stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            ended = run => Some(ended.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))),
            () = lease.lost.cancelled() => None,
            () = too_late => Some(Err(JobError::Retry(Interrupted.into()))),
        }
    }

    fn ending(&self, lease: &Lease, failures: i32, result: Result<(), JobError>) -> Ending {
        let error = match result {
            Ok(()) => return Ending::Succeeded,
            Err(JobError::Cancelled) => return Ending::Cancelled,
            Err(JobError::Retry(_) | JobError::Later { .. }) if lease.cancelled.is_cancelled() => {
                return Ending::Cancelled;
            }
            Err(JobError::Later { at, message }) => return Ending::Later { at, message },
            // also an honest error: what fails while everything stops proves nothing
            Err(JobError::Retry(_)) if lease.stop.is_cancelled() => return Ending::Released,
            Err(JobError::Retry(error)) if error.is::<Interrupted>() => return Ending::Released,
            Err(JobError::Fatal(message)) => return Ending::Failed { message },
            Err(JobError::Retry(error)) => error,
        };
        tracing::warn!(job.id = %lease.job, error = format!("{error:#}"), "job attempt failed");
        let delay = usize::try_from(failures).ok().and_then(|n| DELAYS.get(n));
        match delay {
            Some(delay) => Ending::Again {
                at: self.jobs.clock.now() + *delay,
                message: format!("{error}; tried again in {} s", delay.as_secs()),
            },
            None => Ending::Failed { message: error.to_string() },
        }
    }

    /// Writes the ending. When the database stays away the lease runs out, and the job is continued
    /// from its checkpoint.
    async fn settle(&self, lease: &Lease, ending: &Ending) {
        for _ in 0..5 {
            let Jobs { db, clock, .. } = &self.jobs;
            match store::end(db, lease, clock.now(), ending).await {
                Ok(_) => return,
                Err(error) => tracing::warn!(error = %error, "ending of a job not saved"),
            }
            sleep(POLL).await;
        }
    }
}

/// Renews the lease until it is lost.
async fn heartbeats(jobs: Jobs, lease: Lease) {
    let mut ticks = interval(HEARTBEAT);
    ticks.tick().await;
    let mut until = jobs.clock.now() + LEASE;
    loop {
        ticks.tick().await;
        let now = jobs.clock.now();
        match timeout(HEARTBEAT * 2, store::heartbeat(&jobs.db, &lease, now)).await {
            Ok(Ok(cancel)) => {
                until = now + LEASE;
                if cancel {
                    lease.cancelled.cancel();
                }
            }
            Ok(Err(sea_orm::DbErr::RecordNotUpdated)) => return lease.lost.cancel(),
            // others may claim it from then on
            Ok(Err(_)) | Err(_) if jobs.clock.now() >= until => return lease.lost.cancel(),
            Ok(Err(error)) => tracing::warn!(error = %error, "lease of a job not renewed"),
            Err(_) => tracing::warn!("lease of a job not renewed in time"),
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> JobError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    JobError::Retry(anyhow::anyhow!("the job panicked: {}", text.unwrap_or("without a word")))
}
