//! The minute of each recipient; its row is also the lock under which their digest is chosen.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder, QuerySelect, Set};
use souk_storage::Tx;
use souk_values::UserId;

use crate::domain::pace::Pace;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pace")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub since: DateTime<Utc>,
    pub taken: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The paces of `users`, locked until the transaction ends: two consumers take turns.
pub async fn lock(
    tx: &Tx,
    users: &[UserId],
    now: DateTime<Utc>,
) -> Result<BTreeMap<UserId, Pace>, DbErr> {
    if users.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut users = users.to_vec();
    users.sort_unstable(); // one order of locks: no deadlock
    let fresh = users.iter().map(|user| ActiveModel {
        user_id: Set(*user),
        since: Set(now),
        taken: Set(0),
    });
    Entity::insert_many(fresh)
        .on_conflict(OnConflict::column(Column::UserId).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    let rows = Entity::find()
        .filter(Column::UserId.is_in(users))
        .order_by_asc(Column::UserId)
        .lock_exclusive()
        .all(tx)
        .await?;
    let pace = |row: &Model| Pace { since: row.since, taken: row.taken.unsigned_abs() };
    Ok(rows.iter().map(|row| (row.user_id, pace(row))).collect())
}

pub async fn save(tx: &Tx, user: UserId, pace: Pace) -> Result<(), DbErr> {
    let row = ActiveModel {
        user_id: Set(user),
        since: Set(pace.since),
        taken: Set(i32::try_from(pace.taken).unwrap_or(i32::MAX)),
    };
    Entity::update(row).exec(tx).await.map(|_| ())
}
