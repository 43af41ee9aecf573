//! What a consumer has done, by (consumer, source, event id).
use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, DbErr, Set, Statement};
use souk_storage::{Database, Tx};
use souk_values::Clock;

use super::KEPT;
use crate::Envelope;

/// Rows of one DELETE.
const SLICE: i64 = 1000;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub consumer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    pub received_at: DateTimeUtc,
    /// Starts without an end: crashes, once nobody works on it any more.
    pub attempts: i32,
    pub done_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The inbox of one queue.
pub(super) struct Inbox {
    pub(super) queue: &'static str,
    pub(super) clock: Clock,
}

impl Inbox {
    /// Marks the events done as of this transaction and answers those that were not done before,
    /// in their order. One statement: a second consumer of the same event waits for the first
    /// one's end and then gets nothing.
    pub(super) async fn claim(&self, tx: &Tx, events: &[Envelope]) -> Result<Vec<Envelope>, DbErr> {
        let now = self.clock.now();
        let mut rows: Vec<ActiveModel> = Vec::with_capacity(events.len());
        let mut seen = HashSet::new();
        let mut keys: Vec<(&str, Uuid)> =
            events.iter().map(|e| (e.source.as_str(), e.id)).collect();
        // one order for all, or two consumers with the same two events wait for each other
        keys.sort_unstable();
        for (source, id) in keys {
            if seen.insert((source, id)) {
                rows.push(self.row(source, id, 0, Some(now)));
            }
        }
        let mut undone = OnConflict::columns([Column::Consumer, Column::Source, Column::EventId]);
        undone.update_column(Column::DoneAt);
        undone.action_and_where(Expr::col((Entity, Column::DoneAt)).is_null());
        let mine =
            Entity::insert_many(rows).on_conflict(undone).exec_with_returning_keys(tx).await?;
        let mut mine: HashSet<(String, Uuid)> =
            mine.into_iter().map(|(_, source, id)| (source, id)).collect();
        let new = events.iter().filter(|event| mine.remove(&(event.source.clone(), event.id)));
        Ok(new.cloned().collect())
    }

    /// Notes that work on the event begins, for good even if the process dies of it. Answers the
    /// starts without an end before this one; none if the event is done.
    pub(super) async fn start(
        &self,
        db: &Database,
        event: &Envelope,
    ) -> Result<Option<u32>, DbErr> {
        let mut again = OnConflict::columns([Column::Consumer, Column::Source, Column::EventId]);
        again.value(Column::Attempts, Expr::col((Entity, Column::Attempts)).add(1));
        again.action_and_where(Expr::col((Entity, Column::DoneAt)).is_null());
        let started = Entity::insert_many([self.row(&event.source, event.id, 1, None)])
            .on_conflict(again)
            .exec_with_returning(db.write())
            .await?;
        Ok(started.first().map(|row| row.attempts.unsigned_abs().saturating_sub(1)))
    }

    /// Takes the last [`start`](Self::start) back: the work has failed, but the process lives.
    pub(super) async fn ended(&self, db: &Database, event: &Envelope) -> Result<(), DbErr> {
        Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
            .filter(self.undone(event))
            .filter(Column::Attempts.gt(0))
            .exec(db.write())
            .await?;
        Ok(())
    }

    /// Forgets the starts of an event that is parked: replayed, it begins anew.
    pub(super) async fn forget(&self, db: &Database, event: &Envelope) -> Result<(), DbErr> {
        Entity::delete_many().filter(self.undone(event)).exec(db.write()).await?;
        Ok(())
    }

    fn undone(&self, event: &Envelope) -> sea_orm::Condition {
        sea_orm::Condition::all()
            .add(Column::Consumer.eq(self.queue))
            .add(Column::Source.eq(event.source.as_str()))
            .add(Column::EventId.eq(event.id))
            .add(Column::DoneAt.is_null())
    }

    fn row(&self, source: &str, id: Uuid, attempts: i32, done: Option<DateTimeUtc>) -> ActiveModel {
        ActiveModel {
            consumer: Set(self.queue.to_owned()),
            source: Set(source.to_owned()),
            event_id: Set(id),
            received_at: Set(self.clock.now()),
            attempts: Set(attempts),
            done_at: Set(done),
        }
    }
}

/// Deletes up to 1,000 of a queue's rows that were received more than [`KEPT`] ago; answers how
/// many.
pub async fn prune(db: &Database, queue: &str, clock: &Clock) -> Result<u64, DbErr> {
    let sql = "DELETE FROM inbox WHERE (consumer, source, event_id) IN \
               (SELECT consumer, source, event_id FROM inbox \
                WHERE consumer = $1 AND received_at < $2 ORDER BY received_at LIMIT $3)";
    let values = [queue.into(), (clock.now() - KEPT).into(), SLICE.into()];
    let backend = db.write().get_database_backend();
    let done = db.write().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(done.rows_affected())
}
