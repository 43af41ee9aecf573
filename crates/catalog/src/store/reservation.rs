//! What orders hold: a row for each order and product.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, Iterable, QueryOrder, QuerySelect, Statement};
use souk_storage::{Database, Tx};
use souk_values::{OrderId, ProductId};

use crate::domain::stock::{Hold, State};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reservation")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    pub(crate) digital: bool,
    pub(crate) state: String,
    pub(crate) expires_at: DateTime<Utc>,
    /// When it came into this state.
    pub(crate) changed_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Stands in place of a product in the row of an order that was called off first.
const NOTHING: ProductId = ProductId::from_uuid(Uuid::nil());
/// Rows of one statement.
const AT_ONCE: usize = 500;

/// Lets one transaction at a time work on each of these orders, also on one of which there is no row
/// yet. SQLite has one writer anyway.
pub(crate) async fn lock_orders(tx: &Tx, orders: &[OrderId]) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    if backend != sea_orm::DatabaseBackend::Postgres {
        return Ok(());
    }
    let mut keys: Vec<i64> = orders.iter().copied().map(lock_key).collect();
    // in one order: two transactions never wait for each other
    keys.sort_unstable();
    keys.dedup();
    for some in keys.chunks(AT_ONCE) {
        let places: Vec<String> = (1..=some.len()).map(|n| format!("(${n}::bigint)")).collect();
        let sql = format!(
            "SELECT pg_advisory_xact_lock(key) FROM (VALUES {}) AS keys (key)",
            places.join(", ")
        );
        let values = some.iter().map(|key| (*key).into());
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(())
}

/// Two orders that share a key only wait for each other.
fn lock_key(order: OrderId) -> i64 {
    let (high, low) = order.uuid().as_u64_pair();
    (high.rotate_left(32) ^ low).cast_signed()
}

/// What these orders hold or held, and those that were called off before they held anything.
pub(crate) async fn of_orders(
    db: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<(BTreeMap<OrderId, Vec<Hold>>, BTreeSet<OrderId>), DbErr> {
    let mut all: BTreeMap<OrderId, Vec<Hold>> = BTreeMap::new();
    let mut called_off = BTreeSet::new();
    for some in orders.chunks(AT_ONCE) {
        let rows =
            Entity::find().filter(Column::OrderId.is_in(some.iter().copied())).all(db).await?;
        for row in rows {
            if row.product_id == NOTHING {
                called_off.insert(row.order_id);
            } else {
                all.entry(row.order_id).or_default().push(read(row)?);
            }
        }
    }
    Ok((all, called_off))
}

/// Writes what orders hold now, over what they held, and notes those that are called off.
pub(crate) async fn save(
    tx: &Tx,
    holds: &[(OrderId, Hold)],
    called_off: &[OrderId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut rows: Vec<ActiveModel> = holds.iter().map(|(order, hold)| row(*order, hold)).collect();
    rows.extend(called_off.iter().map(|order| {
        let hold = Hold {
            product_id: NOTHING,
            quantity: 0,
            digital: true,
            state: State::Released,
            expires_at: now,
            changed_at: now,
        };
        row(*order, &hold)
    }));
    for some in rows.chunks(AT_ONCE) {
        let keys = [Column::OrderId, Column::ProductId];
        let kept = |c: &Column| matches!(c, Column::OrderId | Column::ProductId);
        let every = OnConflict::columns(keys)
            .update_columns(Column::iter().filter(|c| !kept(c)))
            .to_owned();
        let insert = Entity::insert_many(some.to_vec()).on_conflict(every);
        insert.exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Orders that hold something past its time, the longest over first.
pub(crate) async fn overdue(
    db: &Database,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<OrderId>, DbErr> {
    let mut orders: Vec<OrderId> = Entity::find()
        .select_only()
        .column(Column::OrderId)
        // as text: only then the index of held ones serves
        .filter(Expr::cust("state = 'held'"))
        .filter(Column::ExpiresAt.lte(now))
        .order_by_asc(Column::ExpiresAt)
        .limit(limit)
        .into_tuple()
        .all(db.read())
        .await?;
    orders.sort_unstable();
    orders.dedup();
    Ok(orders)
}

fn row(order: OrderId, hold: &Hold) -> ActiveModel {
    ActiveModel {
        order_id: Set(order),
        product_id: Set(hold.product_id),
        quantity: Set(hold.quantity),
        digital: Set(hold.digital),
        state: Set(hold.state.as_str().to_owned()),
        expires_at: Set(hold.expires_at),
        changed_at: Set(hold.changed_at),
    }
}

fn read(row: Model) -> Result<Hold, DbErr> {
    let state = State::parse(&row.state)
        .ok_or_else(|| DbErr::Type(format!("a reservation of {} has no state", row.order_id)))?;
    Ok(Hold {
        state,
        product_id: row.product_id,
        quantity: row.quantity,
        digital: row.digital,
        expires_at: row.expires_at,
        changed_at: row.changed_at,
    })
}
