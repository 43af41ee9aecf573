//! Entries that belong to no transaction: gathered in memory and written in batches.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::DbErr;
use souk_storage::Database;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::entry::NewEntry;
use crate::store::entry::{Model, insert_many};

/// Entries that may wait.
const ROOM: usize = 10_000;
/// Entries of one transaction.
const TOGETHER: usize = 500;
/// From an entry to its row.
const GATHER: Duration = Duration::from_millis(50);
/// Between attempts while the database is away.
const REST: Duration = Duration::from_secs(1);
/// What the end of a process may wait for a database that is away.
const LAST: Duration = Duration::from_secs(3);

pub(crate) struct Notes {
    service: &'static str,
    sender: mpsc::Sender<Model>,
    waiting: Mutex<Waiting>,
    /// Entries for which there was no room, not told yet.
    lost: AtomicU64,
}

struct Waiting {
    receiver: mpsc::Receiver<Model>,
    /// Taken out and not written yet.
    batch: Vec<Model>,
}

impl Notes {
    pub(crate) fn new(service: &'static str) -> Self {
        let (sender, receiver) = mpsc::channel(ROOM);
        let waiting = Mutex::new(Waiting { receiver, batch: Vec::new() });
        Self { service, sender, waiting, lost: AtomicU64::new(0) }
    }

    pub(crate) fn put(&self, row: Model) {
        if self.sender.try_send(row).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("audit_lost_total", "service" => self.service).increment(1);
        }
    }

    /// Writes what comes until `stop`. Only one at a time does; a second one waits.
    pub(crate) async fn run(&self, db: &Database, stop: &CancellationToken) {
        let mut waiting = tokio::select! {
            () = stop.cancelled() => return,
            waiting = self.waiting.lock() => waiting,
        };
        // the transaction itself is never dropped in the middle: nobody would know how it ended
        while !stop.is_cancelled() {
            if waiting.batch.is_empty() {
                let first = tokio::select! {
                    () = stop.cancelled() => return,
                    first = waiting.receiver.recv() => first,
                };
                waiting.batch.extend(first);
                pause(GATHER, stop).await;
            }
            if let Err(error) = self.write(db, &mut waiting).await {
                tracing::warn!(service = self.service, %error, "audit notes wait");
                pause(REST, stop).await;
            }
        }
    }

    /// Writes what waits, for a moment: at the end of the process.
    pub(crate) async fn flush(&self, db: &Database) {
        let work = async {
            let mut waiting = self.waiting.lock().await;
            while self.write(db, &mut waiting).await? > 0 {}
            Ok::<_, DbErr>(())
        };
        match tokio::time::timeout(LAST, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(service = self.service, %error, "audit notes lost"),
            Err(_) => tracing::warn!(service = self.service, "audit notes lost"),
        }
    }

    /// One transaction. What it cannot write stays in the batch.
    async fn write(&self, db: &Database, waiting: &mut Waiting) -> Result<usize, DbErr> {
        while waiting.batch.len() < TOGETHER
            && let Ok(next) = waiting.receiver.try_recv()
        {
            waiting.batch.push(next);
        }
        let Some(last) = waiting.batch.last() else { return Ok(0) };
        let at_us = last.at_us;
        let mut rows = waiting.batch.clone();
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            let told = NewEntry::by_service(self.service, "audit.overflow", "audit");
            rows.push(Model::new(told.failed("overflow").change("lost", "", lost), at_us));
        }
        let tx = db.begin().await?;
        insert_many(&tx, rows).await?;
        tx.commit().await?;
        self.lost.fetch_sub(lost, Ordering::Relaxed);
        Ok(std::mem::take(&mut waiting.batch).len())
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
