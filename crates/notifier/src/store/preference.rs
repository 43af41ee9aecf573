//! What people said about letters; who said nothing wants them.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use souk_storage::Tx;
use souk_values::UserId;

use crate::domain::change::Topic;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "preference")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub product_notices: bool,
    pub order_notices: bool,
    pub updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    pub product_notices: bool,
    pub order_notices: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { product_notices: true, order_notices: true }
    }
}

impl Wishes {
    fn of(row: &Model) -> Self {
        Self { product_notices: row.product_notices, order_notices: row.order_notices }
    }

    /// Whether letters of that topic are wanted; what has none is always told.
    pub fn want(&self, topic: Option<Topic>) -> bool {
        match topic {
            Some(Topic::Products) => self.product_notices,
            Some(Topic::Orders) => self.order_notices,
            None => true,
        }
    }
}

pub async fn of<C: ConnectionTrait>(db: &C, user: UserId) -> Result<Wishes, DbErr> {
    Ok(Entity::find_by_id(user).one(db).await?.map_or_else(Wishes::default, |row| Wishes::of(&row)))
}

/// Of those of `users` who said something.
pub async fn of_all(tx: &Tx, users: &[UserId]) -> Result<HashMap<UserId, Wishes>, DbErr> {
    let found = Entity::find().filter(Column::UserId.is_in(users.iter().copied())).all(tx).await?;
    Ok(found.iter().map(|row| (row.user_id, Wishes::of(row))).collect())
}

pub async fn set(tx: &Tx, user: UserId, wishes: Wishes, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = ActiveModel {
        user_id: Set(user),
        product_notices: Set(wishes.product_notices),
        order_notices: Set(wishes.order_notices),
        updated_at: Set(now),
    };
    let replace = OnConflict::column(Column::UserId)
        .update_columns([Column::ProductNotices, Column::OrderNotices, Column::UpdatedAt])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await.map(|_| ())
}
