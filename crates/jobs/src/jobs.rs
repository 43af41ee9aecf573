//! The jobs of one service: created, listed, cancelled, run.
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{DatabaseConnection, DbErr};
use souk_storage::{Database, Tx};
use souk_values::{Clock, Cursor, JobId, Page};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::runner::Runner;
use crate::{Cancelled, ItemResult, Job, JobHandler, NewJob, store};

/// The jobs of one service. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
}

/// What the clones in one process tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) wake: Notify,
    /// Jobs of a process that died were given free.
    pub(crate) freed: AtomicBool,
    /// Jobs running here, so that a cancel is noticed at once.
    running: Mutex<HashMap<JobId, CancellationToken>>,
}

impl Shared {
    pub(crate) fn begins(&self, id: JobId, cancelled: CancellationToken) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, cancelled);
    }
    pub(crate) fn ends(&self, id: JobId) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
    fn cancel(&self, id: JobId) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancelled) = running.get(&id) {
            cancelled.cancel();
        }
    }
}

impl Jobs {
    pub fn new(db: Database, clock: Clock) -> Self {
        Self { db, clock, shared: Arc::default() }
    }

    /// Writes a job into the caller's transaction; [`wake`](Self::wake) after its commit.
    pub async fn create(&self, tx: &Tx, job: NewJob) -> Result<JobId, DbErr> {
        store::insert(tx, self.clock.now(), job).await
    }

    /// After the commit of `create`. A process that is not woken looks every second.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    pub async fn get(&self, id: JobId) -> Result<Option<Job>, DbErr> {
        Ok(store::find(self.newest(), id).await?.map(Job::from))
    }

    /// Newest first. A cursor of another list is a `DbErr::Type`.
    pub async fn list(&self, page: &Page) -> Result<(Vec<Job>, Option<Cursor>), DbErr> {
        store::list(self.newest(), page).await
    }

    /// By position. A cursor of another list is a `DbErr::Type`.
    pub async fn results(
        &self,
        id: JobId,
        page: &Page,
    ) -> Result<(Vec<ItemResult>, Option<Cursor>), DbErr> {
        store::list_results(self.newest(), id, page).await
    }

    /// Waiting or running: cancels (running ones notice soon: at once in this process, within 5 s
    /// in another). Ended: removes it with its results. `None`: unknown.
    pub async fn cancel(&self, id: JobId) -> Result<Option<Job>, DbErr> {
        let tx = self.db.begin().await?;
        let cancelled = self.cancel_within(&tx, id).await?;
        tx.commit().await?;
        self.tell_cancelled(id);
        Ok(cancelled.map(|cancelled| cancelled.job))
    }

    /// The same in the caller's transaction; [`tell_cancelled`](Self::tell_cancelled) after its
    /// commit.
    pub async fn cancel_within(&self, tx: &Tx, id: JobId) -> Result<Option<Cancelled>, DbErr> {
        let found = store::cancel(tx, id, self.clock.now()).await?;
        Ok(found.map(|(row, removed)| Cancelled { job: row.into(), removed }))
    }

    /// A cancelled job that runs in this process notices at once.
    pub fn tell_cancelled(&self, id: JobId) {
        self.shared.cancel(id);
    }

    /// Claims and runs jobs of the handlers' kinds, one at a time, oldest first, until `stop`. Then
    /// the job in hand has 10 s to end, else it is given back.
    pub async fn run(self, handlers: Vec<Arc<dyn JobHandler>>, stop: CancellationToken) {
        Runner::new(self, handlers, stop).run().await;
    }

    /// Where the newest state is read: a replica may lag, and readers of SQLite do not.
    fn newest(&self) -> &DatabaseConnection {
        if self.db.is_postgres() { self.db.write() } else { self.db.read() }
    }
}
