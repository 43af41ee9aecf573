//! The outbox as operators see it: waiting and sent, newest first.
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::Database;
use souk_values::{Cursor, CursorError, Page};
use uuid::Uuid;

use super::{row, sent};
use crate::Envelope;

/// An event of this service's own telling.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    pub created_at: DateTime<Utc>,
    /// None: still waiting.
    pub sent_at: Option<DateTime<Utc>>,
    /// Failed tries to publish it.
    pub attempts: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    pub envelope: Envelope,
}

impl EventRow {
    /// `waiting` or `sent`.
    pub fn status(&self) -> &'static str {
        if self.sent_at.is_some() { "sent" } else { "waiting" }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("the cursor {0}")]
    Cursor(#[from] CursorError),
    #[error("the database failed")]
    Storage(#[from] DbErr),
}

/// Newest first; with an event's id only that one. The second value is the next cursor.
pub async fn list(
    db: &Database,
    page: &Page,
    event_id: Option<Uuid>,
) -> Result<(Vec<EventRow>, Option<Cursor>), ListError> {
    let before: i64 = page.cursor.as_ref().map(Cursor::decode).transpose()?.unwrap_or(i64::MAX);
    let limit = page.limit as usize;
    let mut waiting = row::Entity::find()
        .filter(row::Column::Seq.lt(before))
        .order_by_desc(row::Column::Seq)
        .limit(u64::from(page.limit) + 1);
    let mut sent = sent::Entity::find()
        .filter(sent::Column::Seq.lt(before))
        .order_by_desc(sent::Column::Seq)
        .limit(u64::from(page.limit) + 1);
    if let Some(id) = event_id {
        waiting = waiting.filter(row::Column::EventId.eq(id));
        sent = sent.filter(sent::Column::EventId.eq(id));
    }
    // waiting first: a row that is moved in between is then seen twice, never not at all
    let waiting = waiting.all(db.read()).await?;
    let sent = sent.all(db.read()).await?;
    let mut rows: Vec<(row::Model, Option<DateTime<Utc>>)> = Vec::new();
    rows.extend(sent.into_iter().map(|model| {
        let at = model.sent_at;
        (model.waited(), Some(at))
    }));
    rows.extend(waiting.into_iter().map(|model| (model, None)));
    rows.sort_by_key(|(model, at)| (std::cmp::Reverse(model.seq), at.is_none()));
    rows.dedup_by_key(|(model, _)| model.seq);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|(model, _)| model.seq);
    let next = if more { last.map(|seq| Cursor::encode(&seq)) } else { None };
    let rows = rows.into_iter().map(|(model, sent_at)| EventRow {
        created_at: model.created_at,
        sent_at,
        attempts: model.attempts.unsigned_abs(),
        last_error: model.last_error.clone(),
        envelope: model.envelope(),
    });
    Ok((rows.collect(), next))
}
