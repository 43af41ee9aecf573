//! Events waiting to be published: rows written in the transaction of the change they tell of.
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, NotSet, Set, Statement};
use souk_storage::{Database, Tx};
use souk_values::Clock;
use uuid::Uuid;

use crate::{Envelope, NewEvent};

pub mod audit;
mod list;
pub(crate) mod row;
pub(crate) mod sent;

pub use list::{EventRow, ListError, list};
use row::Headers;

/// Largest payload of an event in bytes.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// How long sent events are kept.
pub const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// Rows of one INSERT: 500 rows bind 6,000 parameters, SQLite takes 32,766.
const INSERT: usize = 500;
/// Rows of one DELETE, so that pruning never holds the one writer of SQLite for long.
const SLICE: i64 = 1000;

/// The outbox of one service. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    service: &'static str,
    clock: Clock,
    wake: Arc<tokio::sync::Notify>,
    /// 0: not read yet. Only a restore raises it, and it needs the service stopped.
    epoch: Arc<AtomicI32>,
}

impl Outbox {
    pub fn new(service: &'static str, clock: Clock) -> Self {
        Self { service, clock, wake: Arc::default(), epoch: Arc::default() }
    }

    /// Writes the events into the transaction, in order. Takes trace id and traceparent from the
    /// current span. Refuses payloads over 64 KiB. Answers the envelopes as they will be sent.
    pub async fn append(&self, tx: &Tx, events: Vec<NewEvent>) -> Result<Vec<Envelope>, DbErr> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(big) = events.iter().find(|event| event.payload.len() > MAX_PAYLOAD) {
            let size = big.payload.len();
            return Err(DbErr::Custom(format!("{} has {size} bytes, over 64 KiB", big.event_type)));
        }
        let epoch = self.epoch(tx).await?;
        let now = self.clock.now();
        let correlation_id = souk_telemetry::trace_id();
        let traceparent = souk_telemetry::traceparent();
        let envelopes: Vec<Envelope> = events
            .into_iter()
            .map(|event| Envelope {
                id: Uuid::now_v7(),
                event_type: event.event_type.to_owned(),
                source: format!("/{}", self.service),
                subject: event.subject,
                partition_key: event.partition_key,
                epoch: epoch.unsigned_abs(),
                version: event.version,
                time: now,
                correlation_id: event
                    .traceparent
                    .as_deref()
                    .and_then(|text| text.split('-').nth(1))
                    .map(str::to_owned)
                    .or_else(|| correlation_id.clone()),
                causation_id: None,
                traceparent: event.traceparent.or_else(|| traceparent.clone()),
                payload: event.payload.into(),
            })
            .collect();
        for some in envelopes.chunks(INSERT) {
            let rows = some.iter().map(|event| row::ActiveModel {
                seq: NotSet,
                event_id: Set(event.id),
                event_type: Set(event.event_type.clone()),
                subject: Set(event.subject.clone()),
                partition_key: Set(event.partition_key.clone()),
                epoch: Set(epoch),
                version: Set(i64::try_from(event.version).unwrap_or(i64::MAX)),
                headers: Set(Headers::of(event)),
                payload: Set(event.payload.to_vec()),
                created_at: Set(now),
                attempts: NotSet,
                next_at: Set(now),
                last_error: NotSet,
            });
            row::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        Ok(envelopes)
    }

    /// To be called after the commit: wakes the relay.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Makes everything said from now on newer than what was said before, whatever its version:
    /// for a database restored from a backup, before the service starts. Answers the new epoch.
    pub async fn raise_epoch(&self, tx: &Tx) -> Result<u32, DbErr> {
        tx.execute_unprepared("UPDATE outbox_epoch SET epoch = epoch + 1").await?;
        self.epoch.store(0, Ordering::Release);
        Ok(read_epoch(tx).await?.unsigned_abs())
    }

    async fn epoch(&self, tx: &Tx) -> Result<i32, DbErr> {
        let known = self.epoch.load(Ordering::Acquire);
        if known != 0 {
            return Ok(known);
        }
        let epoch = read_epoch(tx).await?;
        self.epoch.store(epoch, Ordering::Release);
        Ok(epoch)
    }

    pub(crate) fn service(&self) -> &'static str {
        self.service
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Ends when somebody has called [`wake`](Self::wake) since the last time.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

async fn read_epoch(tx: &Tx) -> Result<i32, DbErr> {
    let sql = "SELECT epoch FROM outbox_epoch";
    let row = tx.query_one_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("outbox_epoch".to_owned()))?.try_get("", "epoch")
}

/// Deletes up to 1,000 events that were sent more than [`KEPT`] ago; answers how many.
pub async fn prune(db: &Database, clock: &Clock) -> Result<u64, DbErr> {
    let sql = "DELETE FROM outbox_sent WHERE seq IN \
               (SELECT seq FROM outbox_sent WHERE sent_at < $1 ORDER BY sent_at LIMIT $2)";
    let before = clock.now() - KEPT;
    let backend = db.write().get_database_backend();
    let values = [before.into(), SLICE.into()];
    let done = db.write().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(done.rows_affected())
}
