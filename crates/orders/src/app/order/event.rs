//! What others are told of an order: each version once.
use souk_events::{NewEvent, registry};
use souk_proto::events::v1::{OrderChanged, OrderedLine};
use souk_values::ProductId;

use super::Trace;
use crate::domain::order::refund::share;
use crate::domain::order::{Order, Refund, State};
use crate::store::refund::shipment;

/// Events have a limit of 64 KiB: what is too large goes without names, then without SKUs.
const LARGE: usize = 60 * 1024;

pub(crate) fn placed(order: &Order, actor: &str, trace: &Trace) -> NewEvent {
    said(registry::ORDER_PLACED, message(order, "placed", actor), order, trace)
}

pub(crate) fn confirmed(order: &Order, actor: &str, trace: &Trace) -> NewEvent {
    said(registry::ORDER_CONFIRMED, message(order, "confirmed", actor), order, trace)
}

/// It ended before it was confirmed.
pub(crate) fn undone(order: &Order, actor: &str, trace: &Trace) -> NewEvent {
    let (event_type, kind) = match order.state {
        State::Cancelled => (registry::ORDER_CANCELLED, "cancelled"),
        _ => (registry::ORDER_FAILED, "failed"),
    };
    let told = OrderChanged { reason: order.reason.clone(), ..message(order, kind, actor) };
    said(event_type, told, order, trace)
}

pub(crate) fn shipped(
    order: &Order,
    shipment: &shipment::Model,
    actor: &str,
    trace: &Trace,
) -> NewEvent {
    let told = OrderChanged {
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
        tracking_url: shipment.tracking_url.clone(),
        ..message(order, "shipped", actor)
    };
    said(registry::ORDER_SHIPPED, told, order, trace)
}

pub(crate) fn delivered(order: &Order, actor: &str, trace: &Trace) -> NewEvent {
    said(registry::ORDER_DELIVERED, message(order, "delivered", actor), order, trace)
}

pub(crate) fn noted(order: &Order, actor: &str, trace: &Trace) -> NewEvent {
    said(registry::ORDER_NOTED, message(order, "noted", actor), order, trace)
}

pub(crate) fn review(order: &Order, why: &str, actor: &str, trace: &Trace) -> NewEvent {
    let told = OrderChanged { reason: why.to_owned(), ..message(order, "review", actor) };
    said(registry::ORDER_REVIEW, told, order, trace)
}

/// Money went back.
pub(crate) fn refunded(order: &Order, refund: &Refund, trace: &Trace) -> NewEvent {
    let back = |(product, quantity): &(ProductId, i64)| {
        let line = order.quote.lines.iter().find(|line| line.product_id == *product)?;
        Some(OrderedLine {
            product_id: product.to_string(),
            sku: line.sku.clone(),
            name: line.name.clone(),
            quantity: *quantity,
            unit_price_minor: line.unit_price,
            total_minor: share(line, 0, *quantity),
        })
    };
    let told = OrderChanged {
        reason: refund.reason.clone(),
        refund_minor: refund.amount,
        refunded_minor: order.refunded,
        returned: refund.lines.iter().filter_map(back).collect(),
        ..message(order, "refunded", &refund.actor)
    };
    said(registry::ORDER_REFUNDED, told, order, trace)
}

fn message(order: &Order, kind: &str, actor: &str) -> OrderChanged {
    let quote = &order.quote;
    let line = |line: &crate::domain::pricing::Line| OrderedLine {
        product_id: line.product_id.to_string(),
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price_minor: line.unit_price,
        total_minor: line.total,
    };
    OrderChanged {
        order_id: order.id.to_string(),
        version: order.version.unsigned_abs(),
        kind: kind.to_owned(),
        number: order.number.clone(),
        user_id: order.user_id.to_string(),
        actor_id: actor.to_owned(),
        status: order.state.status().to_owned(),
        lines: quote.lines.iter().map(line).collect(),
        currency: quote.currency.to_string(),
        subtotal_minor: quote.subtotal,
        discount_minor: quote.discount,
        shipping_minor: quote.shipping,
        tax_minor: quote.tax,
        total_minor: quote.total,
        prices_include_tax: quote.prices_include_tax,
        shipping_name: quote.shipping_method.clone().unwrap_or_default().1,
        coupon: quote.coupon.clone().unwrap_or_default(),
        refunded_minor: order.refunded,
        placed_at_us: order.created_at.timestamp_micros(),
        ..OrderChanged::default()
    }
}

fn said(
    event_type: &'static str,
    mut told: OrderChanged,
    order: &Order,
    trace: &Trace,
) -> NewEvent {
    let id = order.id.to_string();
    let version = order.version.unsigned_abs();
    let make = |told: &OrderChanged| {
        NewEvent::new(event_type, format!("order/{id}"), id.clone(), version, told)
    };
    let mut event = make(&told);
    let shorter: [fn(&mut OrderedLine); 2] = [|line| line.name.clear(), |line| line.sku.clear()];
    for shorten in shorter {
        if event.payload.len() > LARGE {
            told.lines.iter_mut().chain(&mut told.returned).for_each(shorten);
            event = make(&told);
        }
    }
    event.traceparent = trace.parent.clone().or(event.traceparent);
    event
}
