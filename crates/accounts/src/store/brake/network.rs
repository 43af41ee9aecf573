//! The table `login_network`: failed logins of one network, by the minute.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder};
use souk_storage::Tx;

use crate::domain::brake::Minute;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "login_network")]
pub(crate) struct Model {
    /// A keyed tag: nobody's address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) network: String,
    /// Since the epoch.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) minute: i64,
    pub(crate) failures: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Failures after this minute, in order.
pub(crate) async fn since(
    db: &impl ConnectionTrait,
    network: &str,
    minute: i64,
) -> Result<Vec<Minute>, DbErr> {
    let query = Entity::find().filter(Column::Network.eq(network));
    let rows = query.filter(Column::Minute.gt(minute)).order_by_asc(Column::Minute).all(db).await?;
    let counted = |row: Model| Minute {
        minute: row.minute,
        failures: u64::try_from(row.failures).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(counted).collect())
}

/// Counts one failure, in one statement.
pub(crate) async fn count(
    db: &impl ConnectionTrait,
    network: &str,
    minute: i64,
) -> Result<(), DbErr> {
    let first = Model { network: network.to_owned(), minute, failures: 1 };
    let one_more = Expr::col((Entity, Column::Failures)).add(1);
    let conflict = OnConflict::columns([Column::Network, Column::Minute])
        .value(Column::Failures, one_more)
        .to_owned();
    let insert = Entity::insert(first.into_active_model()).on_conflict(conflict);
    insert.exec_without_returning(db).await.map(|_| ())
}

/// Takes one back: it was none.
pub(crate) async fn uncount(
    db: &impl ConnectionTrait,
    network: &str,
    minute: i64,
) -> Result<(), DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::Failures, Expr::col(Column::Failures).sub(1))
        .filter(Column::Network.eq(network))
        .filter(Column::Minute.eq(minute))
        .filter(Column::Failures.gt(0));
    query.exec(db).await.map(|_| ())
}

/// Removes what was counted before this minute.
pub(crate) async fn forget(tx: &Tx, minute: i64) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::Minute.lt(minute)).exec(tx).await?.rows_affected)
}
