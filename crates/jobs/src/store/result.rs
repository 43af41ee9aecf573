//! What became of each item of a job.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder, QuerySelect, Set};
use souk_storage::Tx;
use souk_values::{Cursor, JobId, Page};

use super::{to_i64, to_u64};
use crate::ItemResult;

/// Rows of one statement: 5 values each, and SQLite takes 32,766.
const CHUNK: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_result")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: JobId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub key: String,
    pub outcome: String,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds results; a position that is there already is replaced.
pub(crate) async fn bulk_insert(
    tx: &Tx,
    job: JobId,
    mut results: Vec<ItemResult>,
) -> Result<(), DbErr> {
    // one statement must not meet the same row twice (PostgreSQL refuses); the last one counts
    results.reverse();
    results.sort_by_key(|r| r.position);
    results.dedup_by_key(|r| r.position);
    let mut rest = results.into_iter().peekable();
    while rest.peek().is_some() {
        let rows = rest.by_ref().take(CHUNK).map(|r| ActiveModel {
            job_id: Set(job),
            position: Set(to_i64(r.position)),
            key: Set(r.key),
            outcome: Set(r.outcome),
            detail: Set(r.detail),
        });
        let replace = OnConflict::columns([Column::JobId, Column::Position])
            .update_columns([Column::Key, Column::Outcome, Column::Detail])
            .to_owned();
        Entity::insert_many(rows).on_conflict(replace).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// By position.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    job: JobId,
    page: &Page,
) -> Result<(Vec<ItemResult>, Option<Cursor>), DbErr> {
    let mut query = Entity::find().filter(Column::JobId.eq(job));
    if let Some(cursor) = &page.cursor {
        let after: i64 = cursor.decode().map_err(|e| DbErr::Type(e.to_string()))?;
        query = query.filter(Column::Position.gt(after));
    }
    let limit = page.limit as usize;
    let mut rows =
        query.order_by_asc(Column::Position).limit(u64::from(page.limit) + 1).all(db).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| Cursor::encode(&last.position));
    Ok((rows.into_iter().map(ItemResult::from).collect(), next))
}

impl From<Model> for ItemResult {
    fn from(row: Model) -> Self {
        Self {
            position: to_u64(row.position),
            key: row.key,
            outcome: row.outcome,
            detail: row.detail,
        }
    }
}
