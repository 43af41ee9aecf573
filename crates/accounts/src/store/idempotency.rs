//! The table `idempotency`: requests that made a user, by the key their caller gave them.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryFilter, TryInsertResult};
use souk_storage::Tx;
use souk_values::UserId;

use crate::Error;

/// So long a key stands for its request.
pub(crate) const KEPT: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) caller: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    /// Keyed hash of the request: it holds a password, which a plain hash would betray.
    #[sea_orm(column_type = "Blob")]
    pub(crate) request_tag: Vec<u8>,
    pub(crate) account_id: UserId,
    pub(crate) created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Claims the key for a request that will make `row.account_id`, or answers whom the same request
/// has made. A second claimer waits here for the first one's transaction.
pub(crate) async fn claim(tx: &Tx, row: Model) -> Result<Option<UserId>, Error> {
    let id = (row.caller.clone(), row.key.clone());
    Entity::delete_many()
        .filter(Column::Caller.eq(&row.caller))
        .filter(Column::Key.eq(&row.key))
        .filter(Column::CreatedAt.lt(row.created_at - KEPT))
        .exec(tx)
        .await?;
    let insert = Entity::insert(row.clone().into_active_model()).on_conflict_do_nothing();
    match insert.exec_without_returning(tx).await? {
        TryInsertResult::Inserted(1..) => return Ok(None),
        TryInsertResult::Inserted(0) | TryInsertResult::Empty | TryInsertResult::Conflicted => {}
    }
    let earlier = Entity::find_by_id(id).one(tx).await?;
    let earlier = earlier.ok_or(DbErr::RecordNotFound("idempotency key".to_owned()))?;
    if earlier.request_tag == row.request_tag {
        Ok(Some(earlier.account_id))
    } else {
        Err(Error::IdempotencyKeyReused)
    }
}

/// Removes keys older than `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::CreatedAt.lt(before)).exec(tx).await?.rows_affected)
}
