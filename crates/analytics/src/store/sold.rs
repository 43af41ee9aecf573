//! Questions about sales, and about demand against stock.
use std::ops::Range;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use souk_values::ProductId;

use super::view::{all, number};

/// Of all orders one day of one currency, or all days together (`at` is 0).
#[derive(Debug, FromQueryResult)]
pub(crate) struct Sold {
    pub(crate) at: i64,
    pub(crate) currency: String,
    pub(crate) orders: i64,
    pub(crate) units: i64,
    pub(crate) revenue: i64,
}

/// Of one product and currency all days together.
#[derive(Debug, FromQueryResult)]
pub(crate) struct SoldProduct {
    pub(crate) product_id: ProductId,
    pub(crate) currency: String,
    pub(crate) orders: i64,
    pub(crate) units: i64,
    pub(crate) revenue: i64,
}

/// A product with what was looked at, sold and is there.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Wanted {
    pub(crate) product_id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) views: i64,
    pub(crate) units: i64,
    pub(crate) stock: Option<i64>,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Views,
    Sales,
    Cover,
}

const SUMS: &str = "CAST(SUM(orders) AS bigint) AS orders, CAST(SUM(units) AS bigint) AS units, \
                    CAST(SUM(revenue) AS bigint) AS revenue";

/// The table of the sums, and the days of which product.
fn within(product: Option<ProductId>, days: &Range<i64>) -> (&'static str, Vec<Value>) {
    let mut values = vec![days.start.into(), days.end.into()];
    match product {
        None => ("order_day WHERE day >= $1 AND day < $2", values),
        Some(id) => {
            values.push(id.into());
            ("product_day WHERE day >= $1 AND day < $2 AND product_id = $3", values)
        }
    }
}

/// One row a currency.
pub(crate) async fn totals(
    db: &impl ConnectionTrait,
    product: Option<ProductId>,
    days: &Range<i64>,
) -> Result<Vec<Sold>, DbErr> {
    let (which, values) = within(product, days);
    let sql = format!(
        "SELECT CAST(0 AS bigint) AS at, currency, {SUMS} FROM {which} \
         GROUP BY currency ORDER BY currency"
    );
    all(db, &sql, values).await
}

/// Only days on which something happened.
pub(crate) async fn by_day(
    db: &impl ConnectionTrait,
    product: Option<ProductId>,
    days: &Range<i64>,
) -> Result<Vec<Sold>, DbErr> {
    let (which, values) = within(product, days);
    let sql = format!(
        "SELECT day AS at, currency, orders, units, revenue FROM {which} \
         AND (orders <> 0 OR units <> 0 OR revenue <> 0) ORDER BY day, currency"
    );
    all(db, &sql, values).await
}

/// By revenue; of equals the oldest product.
pub(crate) async fn top(
    db: &impl ConnectionTrait,
    product: Option<ProductId>,
    days: &Range<i64>,
    limit: u32,
) -> Result<Vec<SoldProduct>, DbErr> {
    let mut values = vec![days.start.into(), days.end.into(), i64::from(limit).into()];
    let of = if let Some(id) = product {
        values.push(id.into());
        "AND product_id = $4"
    } else {
        ""
    };
    let sql = format!(
        "SELECT product_id, currency, {SUMS} FROM product_day \
         WHERE day >= $1 AND day < $2 {of} GROUP BY product_id, currency \
         HAVING SUM(orders) <> 0 OR SUM(units) <> 0 OR SUM(revenue) <> 0 \
         ORDER BY revenue DESC, product_id, currency LIMIT $3"
    );
    all(db, &sql, values).await
}

/// Different customers whose orders were confirmed in these days.
pub(crate) async fn buyers(
    db: &impl ConnectionTrait,
    product: Option<ProductId>,
    days: &Range<i64>,
) -> Result<i64, DbErr> {
    let mut values: Vec<Value> = vec![days.start.into(), days.end.into()];
    let (table, of) = if let Some(id) = product {
        values.push(id.into());
        ("product_sale", "AND s.product_id = $3")
    } else {
        ("order_sale", "")
    };
    let sql = format!(
        "SELECT COUNT(DISTINCT o.user_id) FROM {table} s \
         JOIN sale_order o ON o.order_id = s.order_id \
         WHERE s.day >= $1 AND s.day < $2 AND s.orders > 0 {of}"
    );
    number(db, &sql, values).await
}

/// What is offered, and what was looked at or sold without being offered any more.
pub(crate) async fn demand(
    db: &impl ConnectionTrait,
    days: &Range<i64>,
    sort: Sort,
    limit: u32,
) -> Result<Vec<Wanted>, DbErr> {
    let order = match sort {
        Sort::Views => "views DESC, units DESC",
        Sort::Sales => "units DESC, views DESC",
        // what lasts for ever comes last
        Sort::Cover => "cover IS NULL, cover, units DESC, views DESC",
    };
    let sql = format!(
        "WITH seen AS (SELECT product_id, SUM(views) AS views FROM view_day \
         WHERE day >= $1 AND day < $2 GROUP BY product_id), \
         sold AS (SELECT product_id, SUM(units) AS units FROM product_day \
         WHERE day >= $1 AND day < $2 GROUP BY product_id), \
         every AS (SELECT product_id FROM product_seen WHERE active \
         UNION SELECT product_id FROM seen UNION SELECT product_id FROM sold), \
         wanted AS (SELECT every.product_id AS product_id, COALESCE(p.sku, '') AS sku, \
         COALESCE(p.name, '') AS name, CAST(COALESCE(seen.views, 0) AS bigint) AS views, \
         CAST(COALESCE(sold.units, 0) AS bigint) AS units, p.stock AS stock FROM every \
         LEFT JOIN product_seen p ON p.product_id = every.product_id \
         LEFT JOIN seen ON seen.product_id = every.product_id \
         LEFT JOIN sold ON sold.product_id = every.product_id) \
         SELECT product_id, sku, name, views, units, stock FROM \
         (SELECT wanted.*, CASE WHEN units > 0 THEN CAST(stock AS double precision) / units END \
         AS cover FROM wanted) AS ranked ORDER BY {order}, product_id LIMIT $3"
    );
    let values = [days.start.into(), days.end.into(), i64::from(limit).into()];
    all(db, &sql, values).await
}
