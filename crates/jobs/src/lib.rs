//! Durable long work of a service: a row in its database, claimed by lease, resumed after a crash,
//! with progress, results per item, retries (10, 30, 60 s) and cancellation.

mod context;
mod job;
mod jobs;
mod lease;
mod migrations;
mod runner;
mod store;

use chrono::{DateTime, Utc};

pub use context::JobContext;
pub use job::{Cancelled, ItemResult, Job, NewJob, Progress, Status};
pub use jobs::Jobs;
pub use migrations::migrations;

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Tried again (10, 30, 60 s), then failed.
    #[error("{0}")]
    Retry(#[source] anyhow::Error),
    /// Failed for good, with a sentence for the admin.
    #[error("{0}")]
    Fatal(String),
    /// It cannot go on yet: again at that time, which is no failure. The message says what it
    /// waits for.
    #[error("{message}")]
    Later { at: DateTime<Utc>, message: String },
    /// The handler noticed [`JobContext::stopping`] and stopped because an admin said so.
    #[error("cancelled")]
    Cancelled,
}

impl From<sea_orm::DbErr> for JobError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Retry(error.into())
    }
}

/// One kind of work.
#[async_trait::async_trait]
pub trait JobHandler: Send + Sync + 'static {
    /// The [`NewJob::kind`] it runs.
    fn kind(&self) -> &'static str;
    /// May be called again with the last checkpoint after a crash: must continue, not repeat.
    /// A panic counts as [`JobError::Retry`]. The future is dropped when the lease was lost, or
    /// 10 s after the process was told to stop.
    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError>;
}
