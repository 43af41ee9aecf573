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
    /// Notices written until then are not sent. None: the account gets letters.
    pub closed_at: Option<DateTime<Utc>>,
    /// Neither are letters about own orders.
    pub gone_at: Option<DateTime<Utc>>,
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
        gone_at: Set(news.gone_at),
    };
    let replace = OnConflict::column(Column::UserId)
        .update_columns([Column::Epoch, Column::Version, Column::ClosedAt, Column::GoneAt])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(true)
}

/// Since when somebody gets no letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    pub closed_at: DateTime<Utc>,
    gone_at: Option<DateTime<Utc>>,
}

impl Closed {
    /// Until when letters are not sent, notices or personal ones.
    pub fn until(&self, personal: bool) -> Option<DateTime<Utc>> {
        if personal { self.gone_at } else { Some(self.closed_at) }
    }
}

/// Since when each of `users` is closed; the open ones are left out.
pub async fn closed<C: ConnectionTrait>(
    db: &C,
    users: &[UserId],
) -> Result<HashMap<UserId, Closed>, DbErr> {
    let rows = Entity::find()
        .filter(Column::UserId.is_in(users.iter().copied()))
        .filter(Column::ClosedAt.is_not_null())
        .all(db)
        .await?;
    let closed = rows.into_iter().filter_map(|row| {
        let closed_at = row.closed_at?;
        Some((row.user_id, Closed { closed_at, gone_at: row.gone_at }))
    });
    Ok(closed.collect())
}
