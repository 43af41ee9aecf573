//! Product changes as letters tell them: one row an event, shared by all who are told.
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Set};
use souk_storage::Tx;
use uuid::Uuid;

use super::INSERT_ROWS;
use crate::domain::change::Change;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    #[sea_orm(column_type = "JsonBinary")]
    pub told: Json,
    pub at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which of the events are in the ledger already.
pub async fn known(tx: &Tx, events: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    let found = Entity::find()
        .select_only()
        .column(Column::EventId)
        .filter(Column::EventId.is_in(events.iter().copied()))
        .into_tuple::<Uuid>();
    Ok(found.all(tx).await?.into_iter().collect())
}

/// Adds changes by event, with the time of the event.
pub async fn insert(
    tx: &Tx,
    changes: impl IntoIterator<Item = (Uuid, Change, DateTime<Utc>)>,
) -> Result<(), DbErr> {
    let mut rows = Vec::new();
    for (event_id, change, at) in changes {
        let told = serde_json::to_value(&change).map_err(|e| DbErr::Custom(e.to_string()))?;
        rows.push(ActiveModel { event_id: Set(event_id), told: Set(told), at: Set(at) });
    }
    for rows in rows.chunks(INSERT_ROWS) {
        Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Deletes changes, if from before that time, of the `limit` oldest rows; answers how many.
pub async fn forget(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64, DbErr> {
    // ids grow with time: the oldest come first without a search
    let oldest = Entity::find()
        .select_only()
        .columns([Column::EventId, Column::At])
        .order_by_asc(Column::EventId)
        .limit(limit)
        .into_tuple::<(Uuid, DateTime<Utc>)>()
        .all(tx)
        .await?;
    let old: Vec<_> = oldest.into_iter().filter(|row| row.1 < before).map(|row| row.0).collect();
    let deleted = Entity::delete_many().filter(Column::EventId.is_in(old)).exec(tx).await?;
    Ok(deleted.rows_affected)
}
