//! Orders: the row, and every query about it.
pub(crate) mod history;
mod line;
mod list;
mod step;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::prelude::Json;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};
use souk_values::{CartId, Currency, OrderId, UserId};

pub(crate) use line::{Bought, purchases};
pub(crate) use list::{Filter, Position, Sort, Summary, list};
pub(crate) use step::{Moved, Step, step};

use crate::domain::address::Address;
use crate::domain::order::{CancelWish, Order, State};
use crate::domain::pricing::Quote;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: OrderId,
    pub(crate) number: String,
    pub(crate) user_id: UserId,
    pub(crate) cart_id: CartId,
    pub(crate) cart_version: i64,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) currency: String,
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    pub(crate) shipping: i64,
    pub(crate) shipping_tax: i64,
    pub(crate) tax: i64,
    pub(crate) total: i64,
    pub(crate) refunded: i64,
    pub(crate) prices_include_tax: bool,
    pub(crate) coupon: String,
    pub(crate) shipping_method: String,
    pub(crate) shipping_name: String,
    pub(crate) shipping_address: Option<Json>,
    pub(crate) billing_address: Option<Json>,
    pub(crate) note: String,
    pub(crate) payment_method: String,
    pub(crate) needs_review: bool,
    pub(crate) review_reason: String,
    pub(crate) cancel_requested: bool,
    pub(crate) cancel_reason: String,
    pub(crate) cancel_actor: String,
    pub(crate) items_count: i64,
    /// What text filters look at.
    pub(crate) search_text: String,
    pub(crate) version: i64,
    /// Rows of its history.
    pub(crate) steps: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) confirmed_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where a reader sees what it has just written. The file's readers do; a replica may not.
pub(crate) fn fresh(db: &Database) -> &DatabaseConnection {
    if db.is_postgres() { db.write() } else { db.read() }
}

/// New orders with their lines. A state of a cart that became an order before breaks
/// `orders_cart_id`, a number that is taken `orders_number`.
pub(crate) async fn insert_many(tx: &Tx, orders: &[&Order]) -> Result<(), DbErr> {
    if orders.is_empty() {
        return Ok(());
    }
    let rows = orders.iter().map(|order| row(order)).collect::<Result<Vec<_>, _>>()?;
    Entity::insert_many(rows).exec_without_returning(tx).await?;
    line::insert_many(tx, orders).await
}

pub(crate) async fn find<C: ConnectionTrait>(db: &C, id: OrderId) -> Result<Option<Order>, DbErr> {
    complete(db, Entity::find_by_id(id).one(db).await?).await
}

/// By id or number.
pub(crate) async fn find_by_key<C: ConnectionTrait>(
    db: &C,
    key: &str,
) -> Result<Option<Order>, DbErr> {
    match id_of(db, key).await? {
        Some(id) => find(db, id).await,
        None => Ok(None),
    }
}

/// The id behind an id or a number.
pub(crate) async fn id_of<C: ConnectionTrait>(db: &C, key: &str) -> Result<Option<OrderId>, DbErr> {
    if let Ok(id) = key.parse() {
        return Ok(Some(id));
    }
    // PostgreSQL knows no such text and would fail
    if key.contains('\0') {
        return Ok(None);
    }
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Number.eq(key.to_ascii_uppercase()))
        .into_tuple()
        .one(db)
        .await
}

/// Held against other writers until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, id: OrderId) -> Result<Option<Order>, DbErr> {
    complete(tx, Entity::find_by_id(id).lock_exclusive().one(tx).await?).await
}

/// Complete ones in order of id; two statements.
pub(crate) async fn after<C: ConnectionTrait>(
    db: &C,
    after: Option<OrderId>,
    limit: u64,
) -> Result<Vec<Order>, DbErr> {
    let mut select = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(after) = after {
        select = select.filter(Column::Id.gt(after));
    }
    all(db, select.all(db).await?).await
}

/// Those of the orders that there are, complete; two statements.
pub(crate) async fn find_many<C: ConnectionTrait>(
    db: &C,
    ids: &[OrderId],
) -> Result<Vec<Order>, DbErr> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
    all(db, rows).await
}

async fn all<C: ConnectionTrait>(db: &C, rows: Vec<Model>) -> Result<Vec<Order>, DbErr> {
    let mut lines: HashMap<OrderId, Vec<_>> = HashMap::new();
    for (id, line) in line::of_orders(db, rows.iter().map(|row| row.id)).await? {
        lines.entry(id).or_default().push(line);
    }
    rows.into_iter()
        .map(|row| {
            let own = lines.remove(&row.id).unwrap_or_default();
            read(row, own)
        })
        .collect()
}

/// How many wait for a person.
pub(crate) async fn count_reviews(db: &Database) -> Result<u64, DbErr> {
    Entity::find().filter(Column::NeedsReview.eq(true)).count(db.read()).await
}

async fn complete<C: ConnectionTrait>(db: &C, row: Option<Model>) -> Result<Option<Order>, DbErr> {
    let Some(row) = row else { return Ok(None) };
    let lines = line::of_orders(db, [row.id]).await?;
    read(row, lines.into_iter().map(|(_, line)| line).collect()).map(Some)
}

fn row(order: &Order) -> Result<ActiveModel, DbErr> {
    let json = |address: &Option<Address>| {
        let value = address.as_ref().map(serde_json::to_value).transpose();
        value.map_err(|e| DbErr::Custom(format!("an address cannot be written: {e}")))
    };
    let quote = &order.quote;
    let (method, name) = quote.shipping_method.clone().unwrap_or_default();
    let cancel = order.cancel.clone();
    Ok(ActiveModel {
        id: Set(order.id),
        number: Set(order.number.clone()),
        user_id: Set(order.user_id),
        cart_id: Set(order.cart_id),
        cart_version: Set(order.cart_version),
        state: Set(order.state.as_str().to_owned()),
        reason: Set(order.reason.clone()),
        currency: Set(quote.currency.to_string()),
        subtotal: Set(quote.subtotal),
        discount: Set(quote.discount),
        shipping: Set(quote.shipping),
        shipping_tax: Set(quote.shipping_tax),
        tax: Set(quote.tax),
        total: Set(quote.total),
        refunded: Set(order.refunded),
        prices_include_tax: Set(quote.prices_include_tax),
        coupon: Set(quote.coupon.clone().unwrap_or_default()),
        shipping_method: Set(method),
        shipping_name: Set(name),
        shipping_address: Set(json(&order.shipping_address)?),
        billing_address: Set(json(&order.billing_address)?),
        note: Set(order.note.clone()),
        payment_method: Set(order.payment_method.clone()),
        needs_review: Set(order.needs_review),
        review_reason: Set(order.review_reason.clone()),
        cancel_requested: Set(cancel.is_some()),
        cancel_reason: Set(cancel.as_ref().map(|c| c.reason.clone()).unwrap_or_default()),
        cancel_actor: Set(cancel.map(|c| c.actor).unwrap_or_default()),
        items_count: Set(order.items_count()),
        search_text: Set(order.search_text()),
        version: Set(order.version),
        // the first is written with it
        steps: Set(1),
        created_at: Set(order.created_at),
        updated_at: Set(order.updated_at),
        confirmed_at: Set(order.confirmed_at),
    })
}

/// A row as the order it is; a row that is none means that somebody else wrote to the table.
fn read(row: Model, lines: Vec<crate::domain::pricing::Line>) -> Result<Order, DbErr> {
    let broken = |what: &str| DbErr::Type(format!("order {} has a broken {what}", row.id));
    let address = |json: Option<Json>, what: &str| {
        json.map(serde_json::from_value::<Address>).transpose().map_err(|_| broken(what))
    };
    let currency: Currency = row.currency.parse().map_err(|_| broken("currency"))?;
    let state = State::parse(&row.state).ok_or_else(|| broken("state"))?;
    let filled = |text: String| (!text.is_empty()).then_some(text);
    let shipping_address = address(row.shipping_address.clone(), "shipping_address")?;
    let billing_address = address(row.billing_address.clone(), "billing_address")?;
    let cancel = row
        .cancel_requested
        .then_some(CancelWish { actor: row.cancel_actor, reason: row.cancel_reason });
    Ok(Order {
        id: row.id,
        number: row.number,
        user_id: row.user_id,
        cart_id: row.cart_id,
        cart_version: row.cart_version,
        state,
        reason: row.reason,
        quote: Quote {
            lines,
            currency,
            subtotal: row.subtotal,
            discount: row.discount,
            shipping: row.shipping,
            shipping_tax: row.shipping_tax,
            tax: row.tax,
            total: row.total,
            prices_include_tax: row.prices_include_tax,
            coupon: filled(row.coupon),
            shipping_method: filled(row.shipping_method).map(|code| (code, row.shipping_name)),
        },
        shipping_address,
        billing_address,
        note: row.note,
        payment_method: row.payment_method,
        needs_review: row.needs_review,
        review_reason: row.review_reason,
        cancel,
        refunded: row.refunded,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        confirmed_at: row.confirmed_at,
    })
}
