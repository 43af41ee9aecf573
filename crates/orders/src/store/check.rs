//! What `souk verify` reads: orders in order of id, a bounded part at a time.
use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{FromQueryResult, Statement};
use souk_storage::Database;
use souk_values::OrderId;

use super::order::{self, history};
use crate::domain::order::{Order, Refund};

/// Orders of one part.
pub(crate) const PART: u64 = 500;

/// The next orders, complete. Read from where the newest state is.
pub(crate) async fn orders_after(
    db: &Database,
    after: Option<OrderId>,
) -> Result<Vec<Order>, DbErr> {
    order::after(order::fresh(db), after, PART).await
}

/// Those of the orders that a saga works on.
pub(crate) async fn on_their_way(
    db: &Database,
    ids: &[OrderId],
) -> Result<HashSet<OrderId>, DbErr> {
    let rows = super::saga::Entity::find()
        .filter(super::saga::Column::OrderId.is_in(ids.iter().copied()))
        .all(order::fresh(db))
        .await?;
    Ok(rows.into_iter().map(|row| row.order_id).collect())
}

pub(crate) async fn refunds(
    db: &Database,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Vec<Refund>>, DbErr> {
    let mut by_order: HashMap<OrderId, Vec<Refund>> = HashMap::new();
    for refund in super::refund::of_orders(order::fresh(db), ids).await? {
        by_order.entry(refund.order_id).or_default().push(refund);
    }
    Ok(by_order)
}

pub(crate) async fn histories(
    db: &Database,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Vec<history::Model>>, DbErr> {
    let mut by_order: HashMap<OrderId, Vec<history::Model>> = HashMap::new();
    for row in history::of_orders(order::fresh(db), ids).await? {
        by_order.entry(row.order_id).or_default().push(row);
    }
    Ok(by_order)
}

/// Codes of the coupons that these orders hold.
pub(crate) async fn coupons_held(
    db: &Database,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        order_id: OrderId,
        code: String,
    }
    let mut select = Query::select();
    select
        .columns(["order_id", "code"])
        .from("coupon_use")
        .and_where(Expr::col("order_id").is_in(ids.iter().copied()));
    let rows = order::fresh(db).query_all(&select).await?;
    let rows = rows.iter().map(|row| Row::from_query_result(row, ""));
    rows.map(|row| row.map(|row| (row.order_id, row.code))).collect()
}

/// A number that should be another one, of something with a name.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Odd {
    pub(crate) name: String,
    pub(crate) found: i64,
    pub(crate) expected: i64,
}

/// Coupons whose count of uses is not the number of orders that hold them, or is above their limit.
pub(crate) async fn odd_coupons(db: &Database) -> Result<(u64, Vec<Odd>), DbErr> {
    let count = "SELECT COUNT(*) AS n FROM coupon";
    let odd = "SELECT c.code AS name, c.used AS found, COALESCE(u.n, 0) AS expected \
               FROM coupon c LEFT JOIN \
               (SELECT code, COUNT(*) AS n FROM coupon_use GROUP BY code) u ON u.code = c.code \
               WHERE c.used <> COALESCE(u.n, 0) \
               OR (c.total_limit IS NOT NULL AND c.used > c.total_limit)";
    both(db, count, odd).await
}

/// Keys that are done without an answer, or that answer for an order of somebody else or of nobody.
pub(crate) async fn odd_answers(db: &Database) -> Result<(u64, Vec<Odd>), DbErr> {
    let count = "SELECT COUNT(*) AS n FROM kept_answer";
    let odd = "SELECT k.key AS name, COUNT(k.answer) AS found, COUNT(*) AS expected \
               FROM kept_answer k LEFT JOIN orders o ON o.id = k.order_id \
               WHERE (k.state = 'done' AND k.answer IS NULL) \
               OR (k.order_id IS NOT NULL AND (o.id IS NULL OR o.user_id <> k.user_id)) \
               GROUP BY k.user_id, k.key";
    both(db, count, odd).await
}

/// Orders that two keys claim, and states of carts that became two orders.
pub(crate) async fn doubles(db: &Database) -> Result<Vec<Odd>, DbErr> {
    let keys = "SELECT o.number AS name, COUNT(*) AS found, COUNT(DISTINCT o.id) AS expected \
                FROM kept_answer k JOIN orders o ON o.id = k.order_id \
                GROUP BY o.number HAVING COUNT(*) > COUNT(DISTINCT o.id)";
    let carts = "SELECT MIN(number) AS name, COUNT(*) AS found, COUNT(DISTINCT cart_id) AS expected \
                 FROM orders GROUP BY cart_id, cart_version HAVING COUNT(*) > 1";
    let mut found = odd(db, keys).await?;
    found.extend(odd(db, carts).await?);
    Ok(found)
}

async fn both(db: &Database, count: &str, sql: &str) -> Result<(u64, Vec<Odd>), DbErr> {
    let fresh = order::fresh(db);
    let row = fresh.query_one_raw(Statement::from_string(fresh.get_database_backend(), count));
    let n: i64 = match row.await? {
        Some(row) => row.try_get("", "n")?,
        None => 0,
    };
    Ok((n.unsigned_abs(), odd(db, sql).await?))
}

async fn odd(db: &Database, sql: &str) -> Result<Vec<Odd>, DbErr> {
    let fresh = order::fresh(db);
    let rows = fresh.query_all_raw(Statement::from_string(fresh.get_database_backend(), sql));
    rows.await?.iter().map(|row| Odd::from_query_result(row, "")).collect()
}
