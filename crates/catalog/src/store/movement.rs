//! The stock ledger: rows are written once and never changed.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, ExprTrait, FromQueryResult, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use souk_storage::{Database, Tx};
use souk_values::{MovementId, OrderId, Page, ProductId};

use crate::domain::stock::{Movement, MovementKind};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_ledger")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: MovementId,
    pub(crate) product_id: ProductId,
    pub(crate) kind: String,
    pub(crate) quantity: i64,
    pub(crate) on_hand_after: i64,
    pub(crate) reason: String,
    pub(crate) order_id: Option<OrderId>,
    /// Empty: none.
    pub(crate) return_id: String,
    pub(crate) actor: String,
    pub(crate) at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Rows of one statement.
const AT_ONCE: usize = 500;

#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) product: Option<ProductId>,
    pub(crate) kind: Option<MovementKind>,
    pub(crate) order: Option<OrderId>,
}

/// The place of the last row of a page.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Position(MovementId);

/// What an order's rows of one kind say of one product.
#[derive(Debug, FromQueryResult)]
struct Sum {
    order_id: OrderId,
    product_id: ProductId,
    kind: String,
    quantity: i64,
}

/// Units of a product that left for an order, and those that came back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gone {
    pub(crate) sold: i64,
    pub(crate) returned: i64,
}

pub(crate) async fn insert(tx: &Tx, movements: &[Movement]) -> Result<(), DbErr> {
    for some in movements.chunks(AT_ONCE) {
        let rows = some.iter().map(|m| ActiveModel {
            id: Set(m.id),
            product_id: Set(m.product_id),
            kind: Set(m.kind.as_str().to_owned()),
            quantity: Set(m.quantity),
            on_hand_after: Set(m.on_hand_after),
            reason: Set(m.reason.clone()),
            order_id: Set(m.order_id),
            return_id: Set(m.return_id.clone()),
            actor: Set(m.actor.clone()),
            at: Set(m.at),
        });
        Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// What came back of these orders, by product and return.
pub(crate) async fn returned(
    tx: &Tx,
    orders: &[OrderId],
) -> Result<BTreeMap<(OrderId, ProductId), BTreeMap<String, i64>>, DbErr> {
    let mut all: BTreeMap<(OrderId, ProductId), BTreeMap<String, i64>> = BTreeMap::new();
    for some in orders.chunks(AT_ONCE) {
        let rows = Entity::find()
            .filter(Column::OrderId.is_in(some.iter().copied()))
            .filter(Column::Kind.eq(MovementKind::Return.as_str()))
            .all(tx)
            .await?;
        for row in rows {
            let Some(order) = row.order_id else { continue };
            all.entry((order, row.product_id)).or_default().insert(row.return_id, row.quantity);
        }
    }
    Ok(all)
}

/// What left for these orders and came back.
pub(crate) async fn gone(
    db: &Database,
    orders: &[OrderId],
) -> Result<BTreeMap<(OrderId, ProductId), Gone>, DbErr> {
    let sums = Entity::find()
        .select_only()
        .columns([Column::OrderId, Column::ProductId, Column::Kind])
        // PostgreSQL's sums of bigint are numeric
        .column_as(Column::Quantity.sum().cast_as("bigint"), "quantity")
        .filter(Column::OrderId.is_in(orders.iter().copied()))
        .group_by(Column::OrderId)
        .group_by(Column::ProductId)
        .group_by(Column::Kind)
        .into_model::<Sum>()
        .all(db.write())
        .await?;
    let mut all: BTreeMap<(OrderId, ProductId), Gone> = BTreeMap::new();
    for sum in sums {
        let gone = all.entry((sum.order_id, sum.product_id)).or_default();
        match MovementKind::parse(&sum.kind) {
            Some(MovementKind::Sale) => gone.sold -= sum.quantity,
            Some(MovementKind::Return) => gone.returned += sum.quantity,
            _ => {}
        }
    }
    Ok(all)
}

/// One page, newest first, and where the next begins.
pub(crate) async fn list(
    db: &Database,
    filter: &Filter,
    page: &Page,
    after: Option<Position>,
) -> Result<(Vec<Movement>, Option<Position>), DbErr> {
    let mut select = Entity::find().order_by_desc(Column::Id).limit(u64::from(page.limit) + 1);
    if let Some(product) = filter.product {
        select = select.filter(Column::ProductId.eq(product));
    }
    if let Some(kind) = filter.kind {
        select = select.filter(Column::Kind.eq(kind.as_str()));
    }
    if let Some(order) = filter.order {
        select = select.filter(Column::OrderId.eq(order));
    }
    if let Some(Position(after)) = after {
        select = select.filter(Column::Id.lt(after));
    }
    let rows = select.all(db.read()).await?;
    let more = rows.len() > page.limit as usize;
    let items: Vec<Movement> =
        rows.into_iter().take(page.limit as usize).map(read).collect::<Result<_, _>>()?;
    let next = items.last().filter(|_| more).map(|last| Position(last.id));
    Ok((items, next))
}

fn read(row: Model) -> Result<Movement, DbErr> {
    let kind = MovementKind::parse(&row.kind)
        .ok_or_else(|| DbErr::Type(format!("movement {} has a broken kind", row.id)))?;
    Ok(Movement {
        kind,
        id: row.id,
        product_id: row.product_id,
        quantity: row.quantity,
        on_hand_after: row.on_hand_after,
        reason: row.reason,
        order_id: row.order_id,
        return_id: row.return_id,
        actor: row.actor,
        at: row.at,
    })
}
