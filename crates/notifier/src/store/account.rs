//! What account events said last: whether, and since when, a person gets no letters any more.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use souk_storage::Tx;
use souk_values::UserId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub epoch: i64,
    pub version: i64,
    /// Letters written until then are not sent. None: the account gets letters.
    pub closed_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Keeps the newer of what is known and `news`; true when `news` was newer.
pub async fn learn(tx: &Tx, news: Model) -> Result<bool, DbErr> {
    let known = Entity::find_by_id(news.user_id).one(tx).await?;
    if known.is_some_and(|k| (k.epoch, k.version) >= (news.epoch, news.version)) {
        return Ok(false);
    }
    let row = ActiveModel {
        user_id: Set(news.user_id),
        epoch: Set(news.epoch),
        version: Set(news.version),
        closed_at: Set(news.closed_at),
    };
    let replace = OnConflict::column(Column::UserId)
        .update_columns([Column::Epoch, Column::Version, Column::ClosedAt])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(true)
}

/// Since when each of `users` is closed; the open ones are left out.
pub async fn closed<C: ConnectionTrait>(
    db: &C,
    users: &[UserId],
) -> Result<HashMap<UserId, DateTime<Utc>>, DbErr> {
    let rows = Entity::find()
        .filter(Column::UserId.is_in(users.iter().copied()))
        .filter(Column::ClosedAt.is_not_null())
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|row| row.closed_at.map(|at| (row.user_id, at))).collect())
}
