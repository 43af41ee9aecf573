//! Dead letters of a service's queues, drained from the bus into a table: list, show, replay, drop.
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};
use souk_values::{Clock, Cursor, CursorError, DeadLetterId, Page};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Bus, Envelope};

mod drain;
mod row;

const PARKED: &str = "parked";
const REPLAYED: &str = "replayed";
const DROPPED: &str = "dropped";

/// A message that a consumer gave up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub queue: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub subject: String,
    /// Why the consumer gave up.
    pub reason: String,
    pub attempts: u32,
    pub parked_at: DateTime<Utc>,
    /// parked, replayed, dropped
    pub status: String,
    pub envelope: Envelope,
    /// As on the bus.
    pub headers: BTreeMap<String, String>,
    /// Who replayed or dropped it.
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("there is no such dead letter")]
    NotFound,
    #[error("the dead letter was already {0}")]
    Decided(String),
    #[error("the cursor {0}")]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    Bus(#[from] crate::BusError),
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
}

/// The dead letters of one service.
#[derive(Clone)]
pub struct DeadLetters {
    db: Database,
    bus: Arc<dyn Bus>,
    clock: Clock,
}

impl DeadLetters {
    pub fn new(db: Database, bus: Arc<dyn Bus>, clock: Clock) -> Self {
        Self { db, bus, clock }
    }

    /// Newest first; `status` empty means parked. The second value is the next cursor.
    pub async fn list(
        &self,
        status: &str,
        page: &Page,
    ) -> Result<(Vec<DeadLetter>, Option<Cursor>), DeadLetterError> {
        let status = if status.is_empty() { PARKED } else { status };
        let limit = page.limit as usize;
        let mut query = row::Entity::find()
            .filter(row::Column::Status.eq(status))
            .order_by_desc(row::Column::ParkedAt)
            .order_by_desc(row::Column::Id)
            .limit(u64::from(page.limit) + 1);
        if let Some(cursor) = &page.cursor {
            let (us, id): (i64, DeadLetterId) = cursor.decode()?;
            let at = DateTime::from_timestamp_micros(us).ok_or(CursorError)?;
            query = query.filter(Condition::any().add(row::Column::ParkedAt.lt(at)).add(
                Condition::all().add(row::Column::ParkedAt.eq(at)).add(row::Column::Id.lt(id)),
            ));
        }
        let mut rows = query.all(self.db.write()).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().map(|row| (row.parked_at.timestamp_micros(), row.id));
        let next = if more { last.map(|position| Cursor::encode(&position)) } else { None };
        Ok((rows.into_iter().map(DeadLetter::from).collect(), next))
    }

    pub async fn get(&self, id: DeadLetterId) -> Result<DeadLetter, DeadLetterError> {
        let found = row::Entity::find_by_id(id).one(self.db.write()).await?;
        found.map(DeadLetter::from).ok_or(DeadLetterError::NotFound)
    }

    /// Puts the message back into its queue, then notes by whom. If it fails again it comes back
    /// as a new dead letter; if its work was done after all, the inbox drops it.
    pub async fn replay(&self, id: DeadLetterId, by: &str) -> Result<DeadLetter, DeadLetterError> {
        self.send_again(id).await?;
        let tx = self.db.begin().await?;
        let letter = self.note_replayed(&tx, id, by).await?;
        tx.commit().await?;
        Ok(letter)
    }

    /// The first half of [`replay`](Self::replay): puts the message back into its queue.
    pub async fn send_again(&self, id: DeadLetterId) -> Result<(), DeadLetterError> {
        let letter = self.open(id).await?;
        Ok(self.bus.send_to(&letter.queue, &letter.envelope).await?)
    }

    /// The second half, in the caller's transaction: notes by whom.
    pub async fn note_replayed(
        &self,
        tx: &Tx,
        id: DeadLetterId,
        by: &str,
    ) -> Result<DeadLetter, DeadLetterError> {
        self.decide(tx, id, REPLAYED, by).await
    }

    /// Gives the message up for good; the row stays.
    pub async fn drop(&self, id: DeadLetterId, by: &str) -> Result<DeadLetter, DeadLetterError> {
        let tx = self.db.begin().await?;
        let letter = self.drop_within(&tx, id, by).await?;
        tx.commit().await?;
        Ok(letter)
    }

    /// The same in the caller's transaction.
    pub async fn drop_within(
        &self,
        tx: &Tx,
        id: DeadLetterId,
        by: &str,
    ) -> Result<DeadLetter, DeadLetterError> {
        self.decide(tx, id, DROPPED, by).await
    }

    /// Drains the dead letters of `queues` into the table until `stop`.
    pub async fn run(self, queues: Vec<&'static str>, stop: CancellationToken) {
        drain::until(&self, &queues, &stop).await;
    }

    async fn open(&self, id: DeadLetterId) -> Result<DeadLetter, DeadLetterError> {
        let letter = self.get(id).await?;
        if letter.status == PARKED {
            Ok(letter)
        } else {
            Err(DeadLetterError::Decided(letter.status))
        }
    }

    async fn decide(
        &self,
        tx: &Tx,
        id: DeadLetterId,
        status: &str,
        by: &str,
    ) -> Result<DeadLetter, DeadLetterError> {
        let done = row::Entity::update_many()
            .col_expr(row::Column::Status, Expr::value(status))
            .col_expr(row::Column::DecidedBy, Expr::value(by))
            .col_expr(row::Column::DecidedAt, Expr::value(self.clock.now()))
            .filter(row::Column::Id.eq(id))
            .filter(row::Column::Status.eq(PARKED))
            .exec(tx)
            .await?;
        let letter = row::Entity::find_by_id(id).one(tx).await?.map(DeadLetter::from);
        let letter = letter.ok_or(DeadLetterError::NotFound)?;
        if done.rows_affected == 1 {
            Ok(letter)
        } else {
            Err(DeadLetterError::Decided(letter.status))
        }
    }
}

/// Those of the events that were ever parked from this queue.
pub(crate) async fn known(
    db: &Database,
    queue: &str,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sea_orm::DbErr> {
    row::Entity::find()
        .select_only()
        .column(row::Column::EventId)
        .filter(row::Column::Queue.eq(queue))
        .filter(row::Column::EventId.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db.write())
        .await
}
