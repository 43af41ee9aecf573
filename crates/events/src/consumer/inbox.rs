//! What a consumer has done, by (consumer, source, event id).
use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ConnectionTrait, DbErr, QuerySelect, Set, Statement};
use souk_storage::{Database, Tx};
use souk_values::Clock;

use super::KEPT;
use crate::{Envelope, dead_letter};

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

    /// How often work on the event began and did not end; none if the event is done.
    pub(super) async fn starts(
        &self,
        db: &Database,
        event: &Envelope,
    ) -> Result<Option<u32>, DbErr> {
        let key = (self.queue.to_owned(), event.source.clone(), event.id);
        let row = Entity::find_by_id(key).one(db.write()).await?;
        Ok(match row {
            None => Some(0),
            Some(row) if row.done_at.is_none() => Some(row.attempts.unsigned_abs()),
            Some(_) => None,
        })
    }

    /// Notes that work on the event begins, for good even if the process dies of it. False, and
    /// nothing noted, if the event is done or the starts are not `seen` any more.
    pub(super) async fn start(
        &self,
        db: &Database,
        event: &Envelope,
        seen: u32,
    ) -> Result<bool, DbErr> {
        let mut again = OnConflict::columns([Column::Consumer, Column::Source, Column::EventId]);
        again.value(Column::Attempts, Expr::col((Entity, Column::Attempts)).add(1));
        again.action_and_where(Expr::col((Entity, Column::DoneAt)).is_null());
        again.action_and_where(Expr::col((Entity, Column::Attempts)).eq(seen));
        let started = Entity::insert_many([self.row(&event.source, event.id, 1, None)])
            .on_conflict(again)
            .exec_with_returning_keys(db.write())
            .await?;
        Ok(!started.is_empty())
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

/// Those of the events that the queue's consumer has neither done nor parked.
pub async fn unseen(db: &Database, queue: &str, ids: &[Uuid]) -> Result<Vec<Uuid>, DbErr> {
    let mut missing: HashSet<Uuid> = ids.iter().copied().collect();
    for some in ids.chunks(1000) {
        let done = Entity::find()
            .select_only()
            .column(Column::EventId)
            .filter(Column::Consumer.eq(queue))
            .filter(Column::DoneAt.is_not_null())
            .filter(Column::EventId.is_in(some.iter().copied()))
            .into_tuple::<Uuid>()
            .all(db.write())
            .await?;
        for id in done.into_iter().chain(dead_letter::known(db, queue, some).await?) {
            missing.remove(&id);
        }
    }
    Ok(ids.iter().copied().filter(|id| missing.contains(id)).collect())
}
