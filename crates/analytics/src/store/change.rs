//! `product_change_day`: how many product changes were heard of.
use std::ops::Range;

use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use souk_storage::Tx;

use super::view::number;

pub(crate) async fn add(tx: &Tx, day: i64, changes: i64) -> Result<(), DbErr> {
    let sql = "INSERT INTO product_change_day (day, changes) VALUES ($1, $2) \
               ON CONFLICT (day) DO UPDATE \
               SET changes = product_change_day.changes + excluded.changes";
    let values = [Value::from(day), Value::from(changes)];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(())
}

pub(crate) async fn sum(db: &impl ConnectionTrait, days: Range<i64>) -> Result<i64, DbErr> {
    let sql = "SELECT CAST(COALESCE(SUM(changes), 0) AS bigint) FROM product_change_day \
               WHERE day >= $1 AND day < $2";
    number(db, sql, [days.start.into(), days.end.into()]).await
}
