//! Durable long work of a service: a row in its database, claimed by lease, resumed after a crash, with progress,
//! results per item, retries (10, 30, 60 s) and cancellation.
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use sea_orm_migration::MigrationTrait;
use souk_storage::{Database, Tx};
use souk_values::{Clock, Cursor, JobId, Page};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Waiting,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub status: Status,
    pub params: serde_json::Value,
    pub done: u64,
    /// 0: not known yet.
    pub total: u64,
    pub message: String,
    pub counts: BTreeMap<String, u64>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub attempts: u32,
}

/// The result of one item of a job: a line of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemResult {
    pub position: u64,
    pub key: String,
    pub outcome: String,
    pub detail: String,
}

pub struct NewJob {
    pub kind: &'static str,
    pub params: serde_json::Value,
    pub created_by: String,
    /// Not before; `None`: at once.
    pub run_at: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Tried again (10, 30, 60 s), then failed.
    #[error("{0}")]
    Retry(#[source] anyhow::Error),
    /// Failed for good, with a sentence for the admin.
    #[error("{0}")]
    Fatal(String),
    /// The handler noticed `ctx.cancelled()` and stopped.
    #[error("cancelled")]
    Cancelled,
}

/// One kind of work.
#[async_trait::async_trait]
pub trait JobHandler: Send + Sync + 'static {
    fn kind(&self) -> &'static str;
    /// May be called again with the last checkpoint after a crash: must continue, not repeat.
    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError>;
}

/// What a running job may do about itself.
pub struct JobContext {}

impl JobContext {
    /// Where the last attempt got to; `Null` the first time.
    pub fn checkpoint(&self) -> serde_json::Value {
        todo!()
    }
    /// Saves progress inside the transaction of the work it counts.
    pub async fn save(&self, _tx: &Tx, _progress: Progress) -> Result<(), DbErr> {
        todo!()
    }
    /// Told to stop (cancelled by an admin, or the process is stopping). Check between items.
    pub fn stopping(&self) -> bool {
        todo!()
    }
    /// The error to return when `stopping()`: Cancelled when an admin said so, else one that resumes after the restart.
    pub fn stopped(&self) -> JobError {
        todo!()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    pub message: String,
    pub counts: BTreeMap<String, u64>,
    pub checkpoint: serde_json::Value,
    /// New results since the last save.
    pub results: Vec<ItemResult>,
}

/// The jobs of one service. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {}

impl Jobs {
    pub fn new(_db: Database, _clock: Clock) -> Self {
        todo!()
    }
    pub async fn create(&self, _tx: &Tx, _job: NewJob) -> Result<JobId, DbErr> {
        todo!()
    }
    /// After the commit of `create`.
    pub fn wake(&self) {
        todo!()
    }
    pub async fn get(&self, _id: JobId) -> Result<Option<Job>, DbErr> {
        todo!()
    }
    /// Newest first.
    pub async fn list(&self, _page: &Page) -> Result<(Vec<Job>, Option<Cursor>), DbErr> {
        todo!()
    }
    /// By position.
    pub async fn results(&self, _id: JobId, _page: &Page) -> Result<(Vec<ItemResult>, Option<Cursor>), DbErr> {
        todo!()
    }
    /// Waiting or running: cancels (running ones notice soon). Ended: removes it with its results. `None`: unknown.
    pub async fn cancel(&self, _id: JobId) -> Result<Option<Job>, DbErr> {
        todo!()
    }
    /// Claims and runs jobs, one at a time, until `stop`.
    pub async fn run(self, _handlers: Vec<Arc<dyn JobHandler>>, _stop: CancellationToken) {
        todo!()
    }
}

pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    todo!()
}
