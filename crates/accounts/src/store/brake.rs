//! The table `login_brake`: failed logins in a row, per account or per login that nobody has.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryFilter, QuerySelect};
use souk_storage::Tx;

use crate::domain::brake;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "login_brake")]
pub(crate) struct Model {
    /// An account's id, or a tag of a login that nobody has: never what was typed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) subject: String,
    pub(crate) failures: i64,
    /// No attempt is heard before.
    pub(crate) until: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Until when no attempt is heard, if any failed of late.
pub(crate) async fn until(
    db: &impl ConnectionTrait,
    subject: &str,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    Ok(Entity::find_by_id(subject.to_owned()).one(db).await?.map(|row| row.until))
}

/// Counts one failure; answers how many it makes.
pub(crate) async fn fail(tx: &Tx, subject: &str, now: DateTime<Utc>) -> Result<u32, DbErr> {
    let first = Model { subject: subject.to_owned(), failures: 0, until: now };
    let insert = Entity::insert(first.into_active_model()).on_conflict_do_nothing();
    insert.exec_without_returning(tx).await?;
    let row = Entity::find_by_id(subject.to_owned()).lock_exclusive().one(tx).await?;
    let (before, until) = row.map_or((0, now), |row| (row.failures, row.until));
    let failures = brake::count(u32::try_from(before).unwrap_or(u32::MAX), until, now);
    Entity::update_many()
        .col_expr(Column::Failures, Expr::value(i64::from(failures)))
        .col_expr(Column::Until, Expr::value(now + brake::delay(failures)))
        .filter(Column::Subject.eq(subject))
        .exec(tx)
        .await?;
    Ok(failures)
}

/// After a success.
pub(crate) async fn release(tx: &Tx, subject: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(subject.to_owned()).exec(tx).await.map(|_| ())
}

/// Removes what ended before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::Until.lt(before)).exec(tx).await?.rows_affected)
}
