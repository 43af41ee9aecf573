//! What people said about letters; who said nothing wants them.
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QuerySelect, Set};
use souk_storage::Tx;
use souk_values::UserId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "preference")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub product_notices: bool,
    pub updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub async fn wants_product_notices<C: ConnectionTrait>(
    db: &C,
    user: UserId,
) -> Result<bool, DbErr> {
    Ok(Entity::find_by_id(user).one(db).await?.is_none_or(|row| row.product_notices))
}

/// Those of `users` who want no letters about products.
pub async fn muted(tx: &Tx, users: &[UserId]) -> Result<HashSet<UserId>, DbErr> {
    let found = Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::UserId.is_in(users.iter().copied()))
        .filter(Column::ProductNotices.eq(false))
        .into_tuple::<UserId>();
    Ok(found.all(tx).await?.into_iter().collect())
}

pub async fn set_product_notices(
    tx: &Tx,
    user: UserId,
    wanted: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row =
        ActiveModel { user_id: Set(user), product_notices: Set(wanted), updated_at: Set(now) };
    let replace = OnConflict::column(Column::UserId)
        .update_columns([Column::ProductNotices, Column::UpdatedAt])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await.map(|_| ())
}
