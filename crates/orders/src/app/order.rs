//! Orders: placing, looking, cancelling, sending, giving money back.
mod cancel;
pub(crate) mod event;
mod fulfil;
mod place;
mod refund;

use souk_storage::DbErr;

pub(crate) use cancel::cancel;
pub(crate) use fulfil::{Shipping, add_note, deliver, resume, ship};
pub(crate) use place::place;
pub(crate) use refund::{Request, begin as begin_refund, refund};

use crate::app::App;
use crate::domain::change::Refusal;
use crate::domain::order::{Order, Refund};
use crate::domain::payment::Payment;
use crate::store::{self};

/// What became of an order that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Confirmed,
    /// The saga goes on, or waits for the buyer.
    InProgress,
    /// The payment failed.
    Declined,
    /// It could not be had as the buyer saw it, or was cancelled meanwhile.
    Refused,
}

/// The answer to whoever placed an order; kept for their key.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) outcome: Outcome,
    pub(crate) order: Order,
    pub(crate) payment: Option<Payment>,
    pub(crate) refusal: Option<Refusal>,
    /// Of the first request.
    pub(crate) trace_id: String,
}

/// Turns an answer into the bytes that are kept.
pub(crate) type Encode = fn(&Placed) -> Vec<u8>;

/// Turns an order with everything about it into the bytes that are kept.
pub(crate) type EncodeWhole = fn(&Whole) -> Vec<u8>;

/// What a request is known by in traces and logs, carried to work that is done later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
}

impl Trace {
    pub(crate) fn current() -> Self {
        Self {
            id: souk_telemetry::trace_id()
                .or_else(|| souk_rpc::current().request_id.map(|id| id.to_string()))
                .unwrap_or_default(),
            parent: souk_telemetry::traceparent(),
        }
    }
}

/// A key under which a request may be repeated.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
}

/// An order with everything about it.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) order: Order,
    pub(crate) payment: Option<Payment>,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) shipment: Option<store::refund::shipment::Model>,
    /// Staff only.
    pub(crate) timeline: Vec<store::order::history::Model>,
    /// Staff only: where the saga stands; empty: it is over.
    pub(crate) saga_state: String,
}

/// Everything about an order; the same number of statements for each.
pub(crate) async fn whole(app: &App, order: Order, as_staff: bool) -> Result<Whole, DbErr> {
    let db = store::order::fresh(&app.db);
    let payment = store::payment::find(db, order.id).await?;
    let refunds = store::refund::of_order(db, order.id).await?;
    let shipment = store::refund::shipment::find(db, order.id).await?;
    let (mut timeline, mut saga_state) = (Vec::new(), String::new());
    if as_staff {
        timeline = store::order::history::of_order(db, order.id).await?;
        let sagas = store::saga::of_order(db, order.id).await?;
        saga_state = sagas.first().map(|saga| saga.state.clone()).unwrap_or_default();
    }
    Ok(Whole { order, payment, refunds, shipment, timeline, saga_state })
}
