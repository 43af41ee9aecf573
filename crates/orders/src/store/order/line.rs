//! Lines of orders.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue::Set, Condition, FromQueryResult, JoinType, QueryOrder, QuerySelect, RelationTrait,
};
use serde::{Deserialize, Serialize};
use souk_storage::Tx;
use souk_values::{OrderId, Page, ProductId, UserId};

use crate::domain::order::Order;
use crate::domain::pricing;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "order_line")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) position: i32,
    pub(crate) product_id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) digital: bool,
    pub(crate) quantity: i64,
    pub(crate) unit_price: i64,
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    pub(crate) tax: i64,
    pub(crate) total: i64,
    pub(crate) tax_rate_ppm: i64,
    pub(crate) product_version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {
    #[sea_orm(belongs_to = "super::Entity", from = "Column::OrderId", to = "super::Column::Id")]
    Order,
}

impl ActiveModelBehavior for ActiveModel {}

/// Rows of one statement: 14 columns each, under SQLite's 32,766 variables.
const AT_ONCE: usize = 2_000;

pub(super) async fn insert_many(tx: &Tx, orders: &[&Order]) -> Result<(), DbErr> {
    let rows: Vec<ActiveModel> = orders
        .iter()
        .flat_map(|order| order.quote.lines.iter().enumerate().map(|(at, l)| row(order.id, at, l)))
        .collect();
    for some in rows.chunks(AT_ONCE) {
        Entity::insert_many(some.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

fn row(order_id: OrderId, position: usize, line: &pricing::Line) -> ActiveModel {
    ActiveModel {
        order_id: Set(order_id),
        position: Set(i32::try_from(position).unwrap_or(i32::MAX)),
        product_id: Set(line.product_id),
        sku: Set(line.sku.clone()),
        name: Set(line.name.clone()),
        digital: Set(line.digital),
        quantity: Set(line.quantity),
        unit_price: Set(line.unit_price),
        subtotal: Set(line.subtotal),
        discount: Set(line.discount),
        tax: Set(line.tax),
        total: Set(line.total),
        tax_rate_ppm: Set(i64::from(line.tax_rate_ppm)),
        product_version: Set(i64::try_from(line.product_version).unwrap_or(i64::MAX)),
    }
}

/// The lines of these orders, in order, in one statement.
pub(super) async fn of_orders<C: ConnectionTrait>(
    db: &C,
    orders: impl IntoIterator<Item = OrderId>,
) -> Result<Vec<(OrderId, pricing::Line)>, DbErr> {
    let rows = Entity::find()
        .filter(Column::OrderId.is_in(orders))
        .order_by_asc(Column::OrderId)
        .order_by_asc(Column::Position)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.order_id, read(row))).collect())
}

fn read(row: Model) -> pricing::Line {
    pricing::Line {
        product_id: row.product_id,
        sku: row.sku,
        name: row.name,
        digital: row.digital,
        quantity: row.quantity,
        unit_price: row.unit_price,
        subtotal: row.subtotal,
        discount: row.discount,
        tax: row.tax,
        total: row.total,
        tax_rate_ppm: u32::try_from(row.tax_rate_ppm).unwrap_or_default(),
        product_version: row.product_version.unsigned_abs(),
    }
}

/// Something that was bought, with what was paid for it.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Bought {
    pub(crate) order_id: OrderId,
    pub(crate) position: i32,
    pub(crate) number: String,
    pub(crate) currency: String,
    pub(crate) product_id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price: i64,
    pub(crate) total: i64,
    pub(crate) created_at: DateTime<Utc>,
}

/// The place of the last one of a page.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct After {
    us: i64,
    order: OrderId,
    position: i32,
}

/// What a customer bought, newest first; one statement.
pub(crate) async fn purchases(
    db: &DatabaseConnection,
    user: UserId,
    page: &Page,
    after: Option<After>,
) -> Result<(Vec<Bought>, Option<After>), DbErr> {
    use super::Column as OrderColumn;
    let mut select = Entity::find()
        .select_only()
        .columns([
            Column::OrderId,
            Column::Position,
            Column::ProductId,
            Column::Sku,
            Column::Name,
            Column::Quantity,
            Column::UnitPrice,
            Column::Total,
        ])
        .column(OrderColumn::Number)
        .column(OrderColumn::Currency)
        .column(OrderColumn::CreatedAt)
        .join(JoinType::InnerJoin, Relation::Order.def())
        .filter(OrderColumn::UserId.eq(user))
        .filter(OrderColumn::ConfirmedAt.is_not_null())
        .order_by_desc(OrderColumn::CreatedAt)
        .order_by_desc(OrderColumn::Id)
        .order_by_asc(Column::Position)
        .limit(u64::from(page.limit) + 1);
    if let Some(after) = after
        && let Some(at) = DateTime::<Utc>::from_timestamp_micros(after.us)
    {
        let same_time = || Condition::all().add(OrderColumn::CreatedAt.eq(at));
        let behind = Condition::any()
            .add(OrderColumn::CreatedAt.lt(at))
            .add(same_time().add(OrderColumn::Id.lt(after.order)))
            .add(
                same_time()
                    .add(OrderColumn::Id.eq(after.order))
                    .add(Column::Position.gt(after.position)),
            );
        select = select.filter(behind);
    }
    let mut rows = select.into_model::<Bought>().all(db).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let place = |last: &Bought| After {
        us: last.created_at.timestamp_micros(),
        order: last.order_id,
        position: last.position,
    };
    let next = rows.last().filter(|_| more).map(place);
    Ok((rows, next))
}
