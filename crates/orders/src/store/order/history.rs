//! Who did what to an order, and when.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder};
use souk_storage::Tx;
use souk_values::OrderId;

use crate::domain::order::State;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_history")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) seq: i64,
    pub(crate) at: DateTime<Utc>,
    /// `state`, `note`, `refund`, `shipment`, `payment`.
    pub(crate) kind: String,
    pub(crate) from_state: String,
    pub(crate) to_state: String,
    pub(crate) actor: String,
    pub(crate) text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// One entry to be written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) order_id: OrderId,
    /// As the order's step said.
    pub(crate) seq: i64,
    pub(crate) kind: &'static str,
    pub(crate) from: Option<State>,
    pub(crate) to: Option<State>,
    pub(crate) actor: String,
    pub(crate) text: String,
}

/// In one statement.
pub(crate) async fn insert_many(
    tx: &Tx,
    entries: Vec<Entry>,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    if entries.is_empty() {
        return Ok(());
    }
    let word = |state: Option<State>| state.map_or(String::new(), |s| s.as_str().to_owned());
    let rows = entries.into_iter().map(|entry| ActiveModel {
        order_id: Set(entry.order_id),
        seq: Set(entry.seq),
        at: Set(at),
        kind: Set(entry.kind.to_owned()),
        from_state: Set(word(entry.from)),
        to_state: Set(word(entry.to)),
        actor: Set(entry.actor),
        text: Set(entry.text),
    });
    Entity::insert_many(rows).exec_without_returning(tx).await.map(|_| ())
}

/// All of one order, oldest first.
pub(crate) async fn of_order<C: ConnectionTrait>(
    db: &C,
    order_id: OrderId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::OrderId.eq(order_id)).order_by_asc(Column::Seq).all(db).await
}

/// All of these orders, each oldest first.
pub(crate) async fn of_orders<C: ConnectionTrait>(
    db: &C,
    ids: &[OrderId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::OrderId.is_in(ids.iter().copied()))
        .order_by_asc(Column::OrderId)
        .order_by_asc(Column::Seq)
        .all(db)
        .await
}
