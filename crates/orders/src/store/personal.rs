//! What names a person, in every table of this service: found, and taken away. Figures stay.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{OrderId, UserId};

use super::order::{self, history};
use super::payment::{self, test_book};
use super::refund::{self, shipment};
use super::{answer, cart};
use crate::domain::address::Address;
use crate::domain::cart::Owner;
use crate::domain::order::{Order, State};

/// Orders of one statement.
const AT_ONCE: u64 = 100;

/// States in which an order still needs its buyer's data.
const OPEN: [State; 6] = [
    State::Created,
    State::AwaitingPayment,
    State::Capturing,
    State::Confirmed,
    State::RefundPending,
    State::Releasing,
];

/// Numbers of the person's orders that have not ended: on their way to be paid, paid and not sent,
/// being given back, or waiting for somebody to look. Paid digital goods are delivered already.
pub(crate) async fn open_orders(tx: &Tx, user: UserId) -> Result<Vec<String>, DbErr> {
    let open = Condition::any()
        .add(order::Column::State.is_in(OPEN.map(State::as_str)))
        .add(order::Column::NeedsReview.eq(true));
    let ids: Vec<OrderId> = order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(order::Column::UserId.eq(user))
        .filter(open)
        .order_by_asc(order::Column::Id)
        .into_tuple()
        .all(tx)
        .await?;
    let orders = order::find_many(tx, &ids).await?;
    let is_over = |order: &Order| {
        order.state == State::Confirmed && order.is_all_digital() && !order.needs_review
    };
    let mut numbers: Vec<String> =
        orders.into_iter().filter(|order| !is_over(order)).map(|order| order.number).collect();
    numbers.sort();
    Ok(numbers)
}

/// The person's orders behind that one, oldest first.
pub(crate) async fn orders<C: ConnectionTrait>(
    db: &C,
    user: UserId,
    after: Option<OrderId>,
) -> Result<Vec<Order>, DbErr> {
    let mut query = order::Entity::find().select_only().column(order::Column::Id);
    query = query.filter(order::Column::UserId.eq(user));
    if let Some(after) = after {
        query = query.filter(order::Column::Id.gt(after));
    }
    let query = query.order_by_asc(order::Column::Id).limit(AT_ONCE);
    let ids: Vec<OrderId> = query.into_tuple().all(db).await?;
    let mut orders = order::find_many(db, &ids).await?;
    orders.sort_by_key(|order| order.id);
    Ok(orders)
}

/// Shipments of these orders.
pub(crate) async fn shipments<C: ConnectionTrait>(
    db: &C,
    ids: &[OrderId],
) -> Result<Vec<shipment::Model>, DbErr> {
    let of = shipment::Column::OrderId.is_in(ids.iter().copied());
    shipment::Entity::find().filter(of).all(db).await
}

/// Takes names, addresses, notes and masked digits out of these orders and what belongs to them.
/// Answers how many rows were touched.
pub(crate) async fn erase_orders(tx: &Tx, orders: Vec<Order>) -> Result<u64, DbErr> {
    let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
    let mut touched = 0;
    for order in orders {
        touched += u64::from(erase_order(tx, order).await?);
    }
    let own = || ids.iter().copied();
    touched += history::Entity::update_many()
        .col_expr(history::Column::Text, Expr::value(""))
        .filter(history::Column::OrderId.is_in(own()))
        .filter(history::Column::Text.ne(""))
        .exec(tx)
        .await?
        .rows_affected;
    let tracked = Condition::any()
        .add(shipment::Column::TrackingNumber.ne(""))
        .add(shipment::Column::TrackingUrl.ne(""));
    touched += shipment::Entity::update_many()
        .col_expr(shipment::Column::TrackingNumber, Expr::value(""))
        .col_expr(shipment::Column::TrackingUrl, Expr::value(""))
        .filter(shipment::Column::OrderId.is_in(own()))
        .filter(tracked)
        .exec(tx)
        .await?
        .rows_affected;
    touched += refund::Entity::update_many()
        .col_expr(refund::Column::Reason, Expr::value(""))
        .filter(refund::Column::OrderId.is_in(own()))
        .filter(refund::Column::Reason.ne(""))
        .exec(tx)
        .await?
        .rows_affected;
    let marked = Condition::any()
        .add(payment::Column::Last4.ne(""))
        .add(payment::Column::Method.ne(""))
        .add(payment::Column::ActionUrl.ne(""));
    touched += payment::Entity::update_many()
        .col_expr(payment::Column::Brand, Expr::value(""))
        .col_expr(payment::Column::Last4, Expr::value(""))
        .col_expr(payment::Column::Method, Expr::value(""))
        .col_expr(payment::Column::ActionUrl, Expr::value(""))
        .filter(payment::Column::OrderId.is_in(own()))
        .filter(marked)
        .exec(tx)
        .await?
        .rows_affected;
    // answers to staff hold orders, too
    let kept = answer::Entity::delete_many().filter(answer::Column::OrderId.is_in(own()));
    touched += kept.exec(tx).await?.rows_affected;
    Ok(touched)
}

/// Whether there was anything to take away.
async fn erase_order(tx: &Tx, order: Order) -> Result<bool, DbErr> {
    let left = |address: &Option<Address>| {
        address
            .as_ref()
            .map(|address| Address { country: address.country.clone(), ..Address::default() })
    };
    let erased = Order {
        shipping_address: left(&order.shipping_address),
        billing_address: left(&order.billing_address),
        ..order.clone()
    };
    let json = |address: &Option<Address>| {
        let json = address.as_ref().map(serde_json::to_value).transpose();
        json.map_err(|e| DbErr::Json(e.to_string()))
    };
    let is_named = erased.shipping_address != order.shipping_address
        || erased.billing_address != order.billing_address
        || !order.note.is_empty()
        || !order.payment_method.is_empty()
        || order.cancel.is_some_and(|wish| !wish.reason.is_empty());
    if !is_named {
        return Ok(false);
    }
    // no new version: nothing that others hear of has changed
    order::Entity::update_many()
        .col_expr(order::Column::ShippingAddress, Expr::value(json(&erased.shipping_address)?))
        .col_expr(order::Column::BillingAddress, Expr::value(json(&erased.billing_address)?))
        .col_expr(order::Column::SearchText, Expr::value(erased.search_text()))
        .col_expr(order::Column::Note, Expr::value(""))
        .col_expr(order::Column::PaymentMethod, Expr::value(""))
        .col_expr(order::Column::CancelReason, Expr::value(""))
        .filter(order::Column::Id.eq(erased.id))
        .exec(tx)
        .await?;
    Ok(true)
}

/// Ends cart, cards and kept answers of the person; answers how many rows were touched.
pub(crate) async fn erase_rest(tx: &Tx, user: UserId) -> Result<u64, DbErr> {
    let mut touched = 0;
    if let Some(held) = cart::find(tx, Owner::User(user)).await? {
        cart::end(tx, held.id).await?;
        touched += 1;
    }
    let name = user.to_string();
    touched += test_book::remove_cards_of(tx, &name).await?;
    let paid =
        test_book::Entity::find().filter(test_book::Column::UserId.eq(&name)).all(tx).await?;
    let references: Vec<String> = paid.into_iter().map(|payment| payment.reference).collect();
    touched += test_book::forget_calls_of(tx, &name, &references).await?;
    let marked = Condition::any()
        .add(test_book::Column::Last4.ne(""))
        .add(test_book::Column::ActionUrl.ne(""));
    touched += test_book::Entity::update_many()
        .col_expr(test_book::Column::Brand, Expr::value(""))
        .col_expr(test_book::Column::Last4, Expr::value(""))
        .col_expr(test_book::Column::ActionUrl, Expr::value(""))
        .filter(test_book::Column::UserId.eq(name))
        .filter(marked)
        .exec(tx)
        .await?
        .rows_affected;
    let kept = answer::Entity::delete_many().filter(answer::Column::UserId.eq(user));
    touched += kept.exec(tx).await?.rows_affected;
    Ok(touched)
}
