//! Sums of sales against the facts below them.
use std::fmt;

use sea_orm::{ColumnTrait, QuerySelect};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use souk_storage::Tx;
use souk_values::{OrderId, ProductId};

use super::sale::order::{Column, Entity};
use super::view::all;

/// By how much the sums of a day are above its facts.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Off {
    pub(crate) day: i64,
    pub(crate) currency: String,
    orders: i64,
    units: i64,
    revenue: i64,
}

/// The same of one product.
#[derive(Debug, FromQueryResult)]
pub(crate) struct OffProduct {
    pub(crate) day: i64,
    pub(crate) currency: String,
    pub(crate) product_id: ProductId,
    orders: i64,
    units: i64,
    revenue: i64,
}

fn sentence(f: &mut fmt::Formatter<'_>, orders: i64, units: i64, revenue: i64) -> fmt::Result {
    write!(f, "the sums are off by {orders} orders, {units} units, {revenue} minor units")
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, self.orders, self.units, self.revenue)
    }
}

impl fmt::Display for OffProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, self.orders, self.units, self.revenue)
    }
}

/// One statement, so that nothing comes between.
fn sql(key: &str, sums: &str, facts: &str) -> String {
    format!(
        "SELECT {key}, CAST(SUM(orders) AS bigint) AS orders, CAST(SUM(units) AS bigint) AS units, \
         CAST(SUM(revenue) AS bigint) AS revenue FROM \
         (SELECT {key}, orders, units, revenue FROM {sums} \
         UNION ALL SELECT {key}, -orders, -units, -revenue FROM {facts}) AS off \
         GROUP BY {key} HAVING SUM(orders) <> 0 OR SUM(units) <> 0 OR SUM(revenue) <> 0"
    )
}

pub(crate) async fn orders(db: &impl ConnectionTrait) -> Result<Vec<Off>, DbErr> {
    all(db, &sql("day, currency", "order_day", "order_sale"), []).await
}

pub(crate) async fn products(db: &impl ConnectionTrait) -> Result<Vec<OffProduct>, DbErr> {
    all(db, &sql("day, currency, product_id", "product_day", "product_sale"), []).await
}

/// Orders whose steps are known, by id.
pub(crate) async fn orders_after(
    db: &impl ConnectionTrait,
    after: Option<OrderId>,
    limit: u64,
) -> Result<Vec<OrderId>, DbErr> {
    let mut query = Entity::find().select_only().column(Column::OrderId);
    if let Some(after) = after {
        query = query.filter(Column::OrderId.gt(after));
    }
    query.order_by_asc(Column::OrderId).limit(limit).into_tuple::<OrderId>().all(db).await
}

/// Keeps listeners away from these orders until the transaction ends.
pub(crate) async fn lock(tx: &Tx, orders: &[OrderId]) -> Result<(), DbErr> {
    Entity::find()
        .select_only()
        .column(Column::OrderId)
        .filter(Column::OrderId.is_in(orders.iter().copied()))
        .order_by_asc(Column::OrderId)
        .lock_exclusive()
        .into_tuple::<OrderId>()
        .all(tx)
        .await
        .map(drop)
}
