//! Orders between the domain and the wire.
use chrono::{DateTime, Utc};
use souk_proto::orders::v1 as pb;
use souk_proto::orders::v1::place_order_response::Outcome as WireOutcome;
use souk_proto::types::v1::Money;
use souk_rpc::Violation;

use super::wire;
use crate::app::order::{Outcome, Placed, Whole};
use crate::domain::order::{Refund, State};
use crate::domain::payment::{self, Payment};
use crate::store::order::history;
use crate::store::order::{Bought, Filter, Summary};

/// The answer to whoever placed an order.
pub(super) fn placed(placed: &Placed) -> pb::PlaceOrderResponse {
    let outcome = match placed.outcome {
        Outcome::Confirmed => WireOutcome::Confirmed,
        Outcome::InProgress => WireOutcome::InProgress,
        Outcome::Declined => WireOutcome::Declined,
        Outcome::Refused => WireOutcome::Refused,
    };
    let action = placed.payment.as_ref().filter(|payment| {
        placed.order.state == State::AwaitingPayment
            && payment.state == payment::State::RequiresAction
            && !payment.action_url.is_empty()
    });
    let (code, detail, facts) = match &placed.refusal {
        Some(why) => (why.code.to_owned(), why.sentence.clone(), why.facts.clone()),
        None => Default::default(),
    };
    let whole = Whole {
        order: placed.order.clone(),
        payment: placed.payment.clone(),
        refunds: Vec::new(),
        shipment: None,
        timeline: Vec::new(),
        saga_state: String::new(),
    };
    pb::PlaceOrderResponse {
        outcome: outcome.into(),
        order: Some(self::whole(&whole, false)),
        code,
        detail,
        facts: facts.into_iter().collect(),
        trace_id: placed.trace_id.clone(),
        next_action: action.map(|payment| pb::NextAction {
            kind: "approve".to_owned(),
            url: payment.action_url.clone(),
        }),
    }
}

/// An order as its buyer sees it, or as staff do.
pub(super) fn whole(whole: &Whole, as_staff: bool) -> pb::Order {
    let Whole { order, payment, refunds, shipment, timeline, saga_state } = whole;
    pb::Order {
        id: order.id.to_string(),
        number: order.number.clone(),
        user_id: order.user_id.to_string(),
        status: order.state.status().to_owned(),
        quote: Some(wire::to_proto(&order.quote)),
        shipping_address: order.shipping_address.as_ref().map(wire::address_to_proto),
        billing_address: order.billing_address.as_ref().map(wire::address_to_proto),
        note: order.note.clone(),
        version: order.version.unsigned_abs(),
        created_at_us: order.created_at.timestamp_micros(),
        updated_at_us: order.updated_at.timestamp_micros(),
        confirmed_at_us: us(order.confirmed_at),
        payment: payment.as_ref().map(|payment| paid(payment, as_staff)),
        refunds: refunds.iter().map(refund).collect(),
        shipments: shipment
            .iter()
            .map(|shipment| pb::Shipment {
                carrier: shipment.carrier.clone(),
                tracking_number: shipment.tracking_number.clone(),
                tracking_url: shipment.tracking_url.clone(),
                shipped_at_us: shipment.shipped_at.timestamp_micros(),
            })
            .collect(),
        timeline: timeline.iter().map(entry).collect(),
        reason: order.reason.clone(),
        needs_review: as_staff && order.needs_review,
        saga_state: saga_state.clone(),
        refunded_minor: order.refunded,
    }
}

fn paid(payment: &Payment, as_staff: bool) -> pb::Payment {
    pb::Payment {
        provider: payment.provider.clone(),
        reference: if as_staff { payment.reference.clone() } else { String::new() },
        state: payment.state.as_str().to_owned(),
        brand: payment.brand.clone(),
        last4: payment.last4.clone(),
        captured_minor: payment.captured,
        refunded_minor: payment.refunded,
        decline_code: payment.decline_code.clone(),
    }
}

fn refund(refund: &Refund) -> pb::Refund {
    let line = |(product, quantity): &(souk_values::ProductId, i64)| pb::RefundLine {
        product_id: product.to_string(),
        quantity: *quantity,
    };
    pb::Refund {
        id: refund.id.to_string(),
        amount_minor: refund.amount,
        reason: refund.reason.clone(),
        state: refund.state.as_str().to_owned(),
        restock: refund.restock,
        created_at_us: refund.created_at.timestamp_micros(),
        lines: refund.lines.iter().map(line).collect(),
    }
}

fn entry(row: &history::Model) -> pb::TimelineEntry {
    pb::TimelineEntry {
        at_us: row.at.timestamp_micros(),
        kind: row.kind.clone(),
        from_state: row.from_state.clone(),
        to_state: row.to_state.clone(),
        actor_id: row.actor.clone(),
        text: row.text.clone(),
    }
}

/// An order in a list.
pub(super) fn summary(order: Summary) -> pb::OrderSummary {
    pb::OrderSummary {
        id: order.id.to_string(),
        number: order.number,
        status: order.state.status().to_owned(),
        total_minor: order.total,
        currency: order.currency,
        created_at_us: order.created_at.timestamp_micros(),
        items_count: order.items_count.unsigned_abs(),
        user_id: order.user_id.to_string(),
        needs_review: order.needs_review,
        lines: order.lines.iter().map(wire::line_to_proto).collect(),
        refunded_minor: order.refunded,
        version: order.version.unsigned_abs(),
    }
}

pub(super) fn purchase(bought: Bought) -> pb::Purchase {
    pb::Purchase {
        order_id: bought.order_id.to_string(),
        number: bought.number,
        product_id: bought.product_id.to_string(),
        sku: bought.sku,
        name: bought.name,
        quantity: bought.quantity,
        unit_price: Some(Money { minor: bought.unit_price, currency: bought.currency }),
        paid_minor: bought.total,
        at_us: bought.created_at.timestamp_micros(),
    }
}

/// The filter of a search; what is broken in it is told.
pub(super) fn filter(request: &pb::SearchOrdersRequest, broken: &mut Vec<Violation>) -> Filter {
    let states = match request.status.as_str() {
        "" => None,
        status => {
            let states = State::with_status(status);
            if states.is_empty() {
                broken.push(Violation::new("status", "is not a status of an order"));
            }
            Some(states)
        }
    };
    fn id<T: std::str::FromStr>(text: &str, field: &str, broken: &mut Vec<Violation>) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            broken.push(Violation::new(field, "is not an id of this kind"));
        }
        parsed
    }
    let text = request.text.as_str();
    if text.contains('\0') || text.chars().count() > 200 {
        broken.push(Violation::new("text", "must be at most 200 printable characters"));
    }
    let time = |us: i64| (us != 0).then(|| DateTime::<Utc>::from_timestamp_micros(us)).flatten();
    Filter {
        user: id(&request.user_id, "user_id", broken),
        states,
        text: (!text.is_empty()).then(|| text.to_owned()),
        product: id(&request.product_id, "product_id", broken),
        from: time(request.from_us),
        to: time(request.to_us),
        needs_review: request.needs_review,
    }
}

fn us(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.timestamp_micros())
}
