//! `viewer_day`, `visitor_day`: who saw what on which day, and who was there at all.
use std::ops::Range;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use souk_storage::{Database, Tx};
use souk_values::ProductId;

use super::rows::Upsert;
use super::view::{all as rows, number};
use crate::domain::tally::{Day, Visit};

/// Members are named product (32), viewer, first and last time (19 each): parts of a string are
/// cheaper than members of an array. The times come last, for the order of the names is the order
/// of the locks and must be that of the key.
const VIEWERS: Upsert = Upsert {
    into: "viewer_day",
    at: "day",
    product_id: Some("substr(key, 1, 32)"),
    columns: &[
        ("viewer", "substr(key, 33, length(key) - 70)"),
        ("views", "CAST(value AS bigint)"),
        ("first_at", "CAST(substr(key, length(key) - 37, 19) AS bigint)"),
        ("last_at", "CAST(substr(key, length(key) - 18, 19) AS bigint)"),
    ],
    primary_key: "day, product_id, viewer",
    update: "views = viewer_day.views + excluded.views, \
             first_at = CASE WHEN excluded.first_at < viewer_day.first_at \
             THEN excluded.first_at ELSE viewer_day.first_at END, \
             last_at = CASE WHEN excluded.last_at > viewer_day.last_at \
             THEN excluded.last_at ELSE viewer_day.last_at END",
};
const VISITORS: Upsert = Upsert {
    into: "visitor_day",
    at: "day",
    product_id: None,
    columns: &[("viewer", "key"), ("views", "CAST(value AS bigint)")],
    primary_key: "day, viewer",
    update: "views = visitor_day.views + excluded.views",
};

/// The days on which the product was seen (few rows) lead to their viewers.
const OF_PRODUCT: &str = "FROM view_day JOIN viewer_day ON viewer_day.day = view_day.day \
                          AND viewer_day.product_id = view_day.product_id \
                          WHERE view_day.product_id = $1 AND view_day.day >= $2 \
                          AND view_day.day < $3";

/// Different viewers of one day.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Viewers {
    pub(crate) day: i64,
    pub(crate) viewers: i64,
}

pub(super) async fn add(tx: &Tx, day: i64, seen: &Day<'_>) -> Result<(), DbErr> {
    let viewers = seen.viewers.iter().map(|((product, viewer), visit)| {
        let Visit { views, first_us, last_us } = visit;
        let key = format!("{}{viewer}{first_us:019}{last_us:019}", product.uuid().simple());
        (key, *views)
    });
    VIEWERS.run(tx, day, &viewers.collect()).await?;
    let visitors = seen.visitors.iter().map(|(viewer, views)| ((*viewer).to_owned(), *views));
    VISITORS.run(tx, day, &visitors.collect()).await
}

/// Different viewers of a product in all the days together.
pub(crate) async fn of_product(
    db: &impl ConnectionTrait,
    product: ProductId,
    days: Range<i64>,
) -> Result<i64, DbErr> {
    let sql = format!("SELECT COUNT(DISTINCT viewer_day.viewer) {OF_PRODUCT}");
    number(db, &sql, [product.into(), days.start.into(), days.end.into()]).await
}

/// Different viewers of a product, day by day.
pub(crate) async fn of_product_by_day(
    db: &impl ConnectionTrait,
    product: ProductId,
    days: Range<i64>,
) -> Result<Vec<Viewers>, DbErr> {
    let sql = format!(
        "SELECT view_day.day AS day, COUNT(*) AS viewers {OF_PRODUCT} GROUP BY view_day.day"
    );
    rows(db, &sql, [product.into(), days.start.into(), days.end.into()]).await
}

/// Different viewers of anything in all the days together.
pub(crate) async fn all(db: &impl ConnectionTrait, days: Range<i64>) -> Result<i64, DbErr> {
    let sql = "SELECT COUNT(DISTINCT viewer) FROM visitor_day WHERE day >= $1 AND day < $2";
    number(db, sql, [days.start.into(), days.end.into()]).await
}

/// Different viewers of anything, day by day.
pub(crate) async fn all_by_day(
    db: &impl ConnectionTrait,
    days: Range<i64>,
) -> Result<Vec<Viewers>, DbErr> {
    let sql = "SELECT day, COUNT(*) AS viewers FROM visitor_day \
               WHERE day >= $1 AND day < $2 GROUP BY day";
    rows(db, sql, [days.start.into(), days.end.into()]).await
}

/// One product on one day, as one viewer saw it.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Saw {
    pub(crate) day: i64,
    pub(crate) product_id: ProductId,
    pub(crate) views: i64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
}

/// The days on which the viewer was there.
pub(crate) async fn days_of(db: &impl ConnectionTrait, viewer: &str) -> Result<Vec<i64>, DbErr> {
    let sql = "SELECT day, views AS viewers FROM visitor_day WHERE viewer = $1 ORDER BY day";
    let days: Vec<Viewers> = rows(db, sql, [viewer.into()]).await?;
    Ok(days.into_iter().map(|row| row.day).collect())
}

/// What the viewer saw on a day.
pub(crate) async fn saw(
    db: &impl ConnectionTrait,
    viewer: &str,
    day: i64,
) -> Result<Vec<Saw>, DbErr> {
    let sql = "SELECT day, product_id, views, first_at, last_at FROM viewer_day \
               WHERE day = $1 AND viewer = $2 ORDER BY product_id";
    rows(db, sql, [day.into(), viewer.into()]).await
}

/// Somebody else's name for the viewer, on one day; the counts stay. Answers how many rows.
pub(crate) async fn rename(tx: &Tx, viewer: &str, name: &str, day: i64) -> Result<u64, DbErr> {
    let backend = tx.get_database_backend();
    let mut renamed = 0;
    for sql in [
        "UPDATE viewer_day SET viewer = $3 WHERE day = $1 AND viewer = $2",
        "UPDATE visitor_day SET viewer = $3 WHERE day = $1 AND viewer = $2",
    ] {
        let values = [Value::from(day), viewer.into(), name.into()];
        let statement = Statement::from_sql_and_values(backend, sql, values);
        renamed += tx.execute_raw(statement).await?.rows_affected();
    }
    Ok(renamed)
}

/// The oldest day before `day` whose viewers are known.
pub(crate) async fn oldest_before(db: &Database, day: i64) -> Result<Option<i64>, DbErr> {
    let sql = "SELECT day, views AS viewers FROM visitor_day WHERE day < $1 ORDER BY day LIMIT 1";
    let oldest: Vec<Viewers> = rows(db.write(), sql, [day.into()]).await?;
    Ok(oldest.first().map(|row| row.day))
}

/// Forgets who was there on a day and what they saw; the counts of products stay.
pub(crate) async fn forget(tx: &Tx, day: i64) -> Result<u64, DbErr> {
    let backend = tx.get_database_backend();
    let mut gone = 0;
    for sql in ["DELETE FROM viewer_day WHERE day = $1", "DELETE FROM visitor_day WHERE day = $1"] {
        let statement = Statement::from_sql_and_values(backend, sql, [Value::from(day)]);
        gone += tx.execute_raw(statement).await?.rows_affected();
    }
    Ok(gone)
}
