//! What a running job may do about itself.
use sea_orm::DbErr;
use serde_json::Value;
use souk_storage::{Database, Tx};
use souk_values::Clock;

use crate::lease::{Interrupted, Lease};
use crate::{JobError, Progress, store};

/// What a running job may do about itself.
pub struct JobContext {
    db: Database,
    clock: Clock,
    lease: Lease,
    checkpoint: Value,
}

impl JobContext {
    pub(crate) fn new(db: Database, clock: Clock, lease: Lease, checkpoint: Value) -> Self {
        Self { db, clock, lease, checkpoint }
    }

    /// Where the last attempt got to; `Null` the first time.
    pub fn checkpoint(&self) -> Value {
        self.checkpoint.clone()
    }

    /// Saves progress inside the transaction of the work it counts.
    ///
    /// # Errors
    /// `DbErr::RecordNotUpdated` when somebody else runs the job by now: the work must be rolled
    /// back, which dropping the transaction does.
    pub async fn save(&self, tx: &Tx, progress: Progress) -> Result<(), DbErr> {
        let saved = store::save(tx, &self.lease, self.clock.now(), progress).await;
        match saved {
            Ok(true) => self.lease.cancelled.cancel(),
            Ok(false) => {}
            Err(DbErr::RecordNotUpdated) => self.lease.lost.cancel(),
            Err(_) => {}
        }
        saved.map(|_| ())
    }

    /// Saves progress by itself, for work that writes nothing into this database. Never call it
    /// while holding a transaction: SQLite has one writer.
    pub async fn save_now(&self, progress: Progress) -> Result<(), DbErr> {
        let tx = self.db.begin().await?;
        self.save(&tx, progress).await?;
        tx.commit().await
    }

    /// Told to stop (cancelled by an admin, or the process is stopping). Check between items.
    pub fn stopping(&self) -> bool {
        let Lease { cancelled, lost, stop, .. } = &self.lease;
        cancelled.is_cancelled() || lost.is_cancelled() || stop.is_cancelled()
    }

    /// Waits until [`stopping`](Self::stopping) is true; for `select!` around long waits.
    pub async fn until_stopping(&self) {
        let Lease { cancelled, lost, stop, .. } = &self.lease;
        tokio::select! {
            () = cancelled.cancelled() => {}
            () = lost.cancelled() => {}
            () = stop.cancelled() => {}
        }
    }

    /// The error to return when `stopping()`: Cancelled when an admin said so, else one that
    /// resumes after the restart.
    pub fn stopped(&self) -> JobError {
        if self.lease.cancelled.is_cancelled() {
            JobError::Cancelled
        } else {
            JobError::Retry(Interrupted.into())
        }
    }
}
