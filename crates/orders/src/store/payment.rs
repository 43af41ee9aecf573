//! Payments of orders in our books.
mod difference;
mod inbox;
pub(crate) mod test_book;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};
use souk_values::{Currency, Money, OrderId};

pub(crate) use difference::{close, count_open, list as differences, put};
pub(crate) use inbox::{forget, mark_done, receive, unfinished};

use crate::domain::order::State as OrderState;
use crate::domain::payment::{Payment, State};
use crate::store::order;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: OrderId,
    pub(crate) provider: String,
    pub(crate) reference: String,
    pub(crate) state: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) decline_code: String,
    pub(crate) action_url: String,
    pub(crate) method: String,
    pub(crate) attempt: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The first rows of orders' payments, in the transaction that accepts the orders; one statement.
pub(crate) async fn insert_many<C: ConnectionTrait>(
    db: &C,
    payments: &[Payment],
) -> Result<(), DbErr> {
    if payments.is_empty() {
        return Ok(());
    }
    let rows = payments.iter().map(|payment| ActiveModel::from(row(payment)).reset_all());
    Entity::insert_many(rows).exec_without_returning(db).await.map(|_| ())
}

pub(crate) async fn find<C: ConnectionTrait>(
    db: &C,
    order_id: OrderId,
) -> Result<Option<Payment>, DbErr> {
    Entity::find_by_id(order_id).one(db).await?.map(read).transpose()
}

/// Those of the orders that have one, in one statement.
pub(crate) async fn find_many<C: ConnectionTrait>(
    db: &C,
    orders: impl IntoIterator<Item = OrderId>,
) -> Result<Vec<Payment>, DbErr> {
    let found = Entity::find().filter(Column::OrderId.is_in(orders)).all(db).await?;
    found.into_iter().map(read).collect()
}

/// The same, held against other writers until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, order_id: OrderId) -> Result<Option<Payment>, DbErr> {
    Entity::find_by_id(order_id).lock_exclusive().one(tx).await?.map(read).transpose()
}

/// Those made since then, by order id after the cursor.
pub(crate) async fn since<C: ConnectionTrait>(
    db: &C,
    since: DateTime<Utc>,
    after: Option<OrderId>,
    limit: u64,
) -> Result<Vec<Payment>, DbErr> {
    let mut select = Entity::find().filter(Column::CreatedAt.gte(since));
    if let Some(after) = after {
        select = select.filter(Column::OrderId.gt(after));
    }
    let found = select.order_by_asc(Column::OrderId).limit(limit).all(db).await?;
    found.into_iter().map(read).collect()
}

/// Where these orders stand; those that do not exist are left out.
pub(crate) async fn order_states(
    db: &Database,
    orders: impl IntoIterator<Item = OrderId>,
) -> Result<HashMap<OrderId, OrderState>, DbErr> {
    let rows: Vec<(OrderId, String)> = order::Entity::find()
        .select_only()
        .columns([order::Column::Id, order::Column::State])
        .filter(order::Column::Id.is_in(orders))
        .into_tuple()
        .all(order::fresh(db))
        .await?;
    let broken = |text: &str| DbErr::Type(format!("{text:?} is no state of an order"));
    rows.into_iter()
        .map(|(id, text)| Ok((id, OrderState::parse(&text).ok_or_else(|| broken(&text))?)))
        .collect()
}

/// The new state of a payment that this transaction holds.
pub(crate) async fn update(tx: &Tx, payment: &Payment) -> Result<(), DbErr> {
    let changed = ActiveModel::from(row(payment)).reset_all();
    Entity::update(changed).exec(tx).await.map(|_| ())
}

fn row(p: &Payment) -> Model {
    Model {
        order_id: p.order_id,
        provider: p.provider.clone(),
        reference: p.reference.clone(),
        state: p.state.as_str().to_owned(),
        amount: p.amount.minor,
        currency: p.amount.currency.to_string(),
        captured: p.captured,
        refunded: p.refunded,
        brand: p.brand.clone(),
        last4: p.last4.clone(),
        decline_code: p.decline_code.clone(),
        action_url: p.action_url.clone(),
        method: p.method.clone(),
        attempt: p.attempt,
        created_at: p.created_at,
        updated_at: p.updated_at,
    }
}

fn read(row: Model) -> Result<Payment, DbErr> {
    Ok(Payment {
        state: state(&row.state)?,
        amount: money(row.amount, &row.currency)?,
        order_id: row.order_id,
        provider: row.provider,
        reference: row.reference,
        captured: row.captured,
        refunded: row.refunded,
        brand: row.brand,
        last4: row.last4,
        decline_code: row.decline_code,
        action_url: row.action_url,
        method: row.method,
        attempt: row.attempt,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn state(text: &str) -> Result<State, DbErr> {
    State::parse(text).ok_or_else(|| DbErr::Type(format!("{text:?} is no state of a payment")))
}

fn money(minor: i64, currency: &str) -> Result<Money, DbErr> {
    let known: Result<Currency, _> = currency.parse();
    known
        .map(|currency| Money::new(minor, currency))
        .map_err(|_| DbErr::Type(format!("{currency:?} is no currency")))
}
