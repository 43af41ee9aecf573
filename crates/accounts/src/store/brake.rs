//! The table `login_brake`: failed logins in a row, per account or per login that nobody has.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryFilter, QuerySelect};
use souk_storage::Tx;
use souk_values::UserId;

use crate::domain::brake;

pub(crate) mod network;

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

/// What an attempt of somebody who has failed of late meets.
pub(crate) enum Turn {
    /// It counts as a failure until it turns out right.
    Counted { before: Model, failures: u32 },
    /// It is not heard before.
    Braked(DateTime<Utc>),
    /// The failures are forgotten meanwhile.
    Free,
}

/// Counts a failure in advance, so that guesses sent together to several processes are not all
/// heard before the first of them is counted.
pub(crate) async fn count(tx: &Tx, subject: &str, now: DateTime<Utc>) -> Result<Turn, DbErr> {
    let row = Entity::find_by_id(subject.to_owned()).lock_exclusive().one(tx).await?;
    let Some(before) = row else { return Ok(Turn::Free) };
    if now < before.until {
        return Ok(Turn::Braked(before.until));
    }
    let failures = write(tx, subject, &before, now).await?;
    Ok(Turn::Counted { before, failures })
}

/// Counts one failure; answers how many it makes.
pub(crate) async fn fail(tx: &Tx, subject: &str, now: DateTime<Utc>) -> Result<u32, DbErr> {
    let first = Model { subject: subject.to_owned(), failures: 0, until: now };
    let insert = Entity::insert(first.clone().into_active_model()).on_conflict_do_nothing();
    insert.exec_without_returning(tx).await?;
    let row = Entity::find_by_id(subject.to_owned()).lock_exclusive().one(tx).await?;
    write(tx, subject, &row.unwrap_or(first), now).await
}

async fn write(tx: &Tx, subject: &str, row: &Model, now: DateTime<Utc>) -> Result<u32, DbErr> {
    let before = u32::try_from(row.failures).unwrap_or(u32::MAX);
    let failures = brake::count(before, row.until, now);
    Entity::update_many()
        .col_expr(Column::Failures, Expr::value(i64::from(failures)))
        .col_expr(Column::Until, Expr::value(now + brake::delay(failures)))
        .filter(Column::Subject.eq(subject))
        .exec(tx)
        .await?;
    Ok(failures)
}

/// Takes back a failure that was counted in advance, unless others came after it.
pub(crate) async fn uncount(tx: &Tx, before: Model, failures: u32) -> Result<(), DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::Failures, Expr::value(before.failures))
        .col_expr(Column::Until, Expr::value(before.until))
        .filter(Column::Subject.eq(before.subject))
        .filter(Column::Failures.eq(i64::from(failures)));
    query.exec(tx).await.map(|_| ())
}

/// After a success.
pub(crate) async fn release(tx: &Tx, subject: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(subject.to_owned()).exec(tx).await.map(|_| ())
}

/// Removes what ended before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::Until.lt(before)).exec(tx).await?.rows_affected)
}

/// Removes everything that bears the name of a person who is removed.
pub(crate) async fn forget_account(tx: &Tx, account: UserId) -> Result<(), DbErr> {
    let named = Column::Subject.starts_with(account.to_string());
    Entity::delete_many().filter(named).exec(tx).await.map(|_| ())
}
