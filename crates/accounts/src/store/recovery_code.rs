//! The table `recovery_code`: what stands in for a lost authenticator app. Keyed tags only.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryFilter};
use souk_storage::Tx;
use souk_values::UserId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "recovery_code")]
pub(crate) struct Model {
    /// Of account and code, by this service's key.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub(crate) tag: Vec<u8>,
    pub(crate) account_id: UserId,
    pub(crate) used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Only these count from now on.
pub(crate) async fn replace(tx: &Tx, account: UserId, tags: Vec<Vec<u8>>) -> Result<(), DbErr> {
    remove(tx, account).await?;
    let rows = tags.into_iter().map(|tag| Model { tag, account_id: account, used_at: None });
    let rows = rows.map(IntoActiveModel::into_active_model);
    Entity::insert_many(rows).exec_without_returning(tx).await.map(|_| ())
}

/// True for the first use only, however many ask at once. `tags`: by the keys of today and before.
pub(crate) async fn take(
    tx: &Tx,
    account: UserId,
    tags: Vec<Vec<u8>>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::Tag.is_in(tags))
        .filter(Column::AccountId.eq(account))
        .filter(Column::UsedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// How many are still good.
pub(crate) async fn left(db: &impl ConnectionTrait, account: UserId) -> Result<u64, DbErr> {
    let unused = Entity::find().filter(Column::AccountId.eq(account));
    unused.filter(Column::UsedAt.is_null()).count(db).await
}

pub(crate) async fn remove(tx: &Tx, account: UserId) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::AccountId.eq(account)).exec(tx).await.map(|_| ())
}
