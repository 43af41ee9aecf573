//! `view_hour`, `view_day`: how often each product was seen.
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use souk_storage::{Database, Tx};
use souk_values::ProductId;

use super::rows::Upsert;
use super::viewer;
use crate::domain::tally::Tally;

const HOURS: Upsert = Upsert {
    into: "view_hour",
    at: "hour",
    product_id: Some("key"),
    columns: &[("views", "CAST(value AS bigint)")],
    primary_key: "hour, product_id",
    update: "views = view_hour.views + excluded.views",
};
const DAYS: Upsert = Upsert {
    into: "view_day",
    at: "day",
    primary_key: "day, product_id",
    update: "views = view_day.views + excluded.views",
    ..HOURS
};

/// Views in one hour or day.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Views {
    pub(crate) at: i64,
    pub(crate) views: i64,
}

/// A product and how often it was seen.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Seen {
    pub(crate) product_id: ProductId,
    pub(crate) views: i64,
}

/// Adds a batch to the counts: a statement for the hour, three for the day, whatever its size.
pub(crate) async fn add(tx: &Tx, tally: &Tally<'_>) -> Result<(), DbErr> {
    for (hour, views) in &tally.hours {
        HOURS.run(tx, *hour, &by_hex(views)).await?;
    }
    for (day, seen) in &tally.days {
        DAYS.run(tx, *day, &by_hex(&seen.views)).await?;
        viewer::add(tx, *day, seen).await?;
    }
    Ok(())
}

fn by_hex(views: &HashMap<ProductId, i64>) -> BTreeMap<String, i64> {
    views.iter().map(|(id, views)| (id.uuid().simple().to_string(), *views)).collect()
}

pub(crate) async fn by_hour(
    db: &impl ConnectionTrait,
    product: ProductId,
    hours: Range<i64>,
) -> Result<Vec<Views>, DbErr> {
    let sql = "SELECT hour AS at, views FROM view_hour \
               WHERE product_id = $1 AND hour >= $2 AND hour < $3 ORDER BY hour";
    all(db, sql, [product.into(), hours.start.into(), hours.end.into()]).await
}

pub(crate) async fn by_day(
    db: &impl ConnectionTrait,
    product: ProductId,
    days: Range<i64>,
) -> Result<Vec<Views>, DbErr> {
    let sql = "SELECT day AS at, views FROM view_day \
               WHERE product_id = $1 AND day >= $2 AND day < $3 ORDER BY day";
    all(db, sql, [product.into(), days.start.into(), days.end.into()]).await
}

/// Since the first view of the product.
pub(crate) async fn all_time(db: &impl ConnectionTrait, product: ProductId) -> Result<i64, DbErr> {
    let sql = "SELECT CAST(COALESCE(SUM(views), 0) AS bigint) FROM view_day WHERE product_id = $1";
    number(db, sql, [product.into()]).await
}

/// Most seen first; of equals the oldest product.
pub(crate) async fn top_by_hours(
    db: &impl ConnectionTrait,
    hours: Range<i64>,
    limit: u32,
) -> Result<Vec<Seen>, DbErr> {
    let sql = "SELECT product_id, CAST(SUM(views) AS bigint) AS views FROM view_hour \
               WHERE hour >= $1 AND hour < $2 \
               GROUP BY product_id ORDER BY views DESC, product_id LIMIT $3";
    all(db, sql, [hours.start.into(), hours.end.into(), i64::from(limit).into()]).await
}

/// Like [`top_by_hours`], for long windows.
pub(crate) async fn top_by_days(
    db: &impl ConnectionTrait,
    days: Range<i64>,
    limit: u32,
) -> Result<Vec<Seen>, DbErr> {
    let sql = "SELECT product_id, CAST(SUM(views) AS bigint) AS views FROM view_day \
               WHERE day >= $1 AND day < $2 \
               GROUP BY product_id ORDER BY views DESC, product_id LIMIT $3";
    all(db, sql, [days.start.into(), days.end.into(), i64::from(limit).into()]).await
}

/// Views of all products, day by day; only days with views.
pub(crate) async fn totals_by_day(
    db: &impl ConnectionTrait,
    days: Range<i64>,
) -> Result<Vec<Views>, DbErr> {
    let sql = "SELECT day AS at, CAST(SUM(views) AS bigint) AS views FROM view_day \
               WHERE day >= $1 AND day < $2 GROUP BY day ORDER BY day";
    all(db, sql, [days.start.into(), days.end.into()]).await
}

/// How many different products were seen.
pub(crate) async fn products(db: &impl ConnectionTrait, days: Range<i64>) -> Result<i64, DbErr> {
    let sql = "SELECT COUNT(DISTINCT product_id) FROM view_day WHERE day >= $1 AND day < $2";
    number(db, sql, [days.start.into(), days.end.into()]).await
}

/// The oldest day before `day` that is still known by the hour.
pub(crate) async fn oldest_day_before(db: &Database, day: i64) -> Result<Option<i64>, DbErr> {
    let sql = "SELECT hour AS at, views FROM view_hour WHERE hour < $1 ORDER BY hour LIMIT 1";
    let oldest: Vec<Views> = all(db.write(), sql, [(day * 24).into()]).await?;
    Ok(oldest.first().map(|row| row.at.div_euclid(24)))
}

/// Forgets the hours of one day.
pub(crate) async fn forget_hours(tx: &Tx, day: i64) -> Result<u64, DbErr> {
    let sql = "DELETE FROM view_hour WHERE hour >= $1 AND hour < $2";
    let values = [Value::from(day * 24), Value::from(day * 24 + 24)];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// The rows of a statement.
pub(super) async fn all<M: FromQueryResult>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<M>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    M::find_by_statement(statement).all(db).await
}

/// The only number a statement answers.
pub(super) async fn number(
    db: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<i64, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}
