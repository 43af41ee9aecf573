//! Moves of sagas and their orders, those of one kind together.
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::OrderId;
use uuid::Uuid;

use super::commit::{Moved, Trouble};
use crate::app::order::{Encode, Outcome, Placed, Trace, begin_refund, event};
use crate::app::{App, payment};
use crate::domain::change::Refusal;
use crate::domain::order::refund::Wish;
use crate::domain::order::{Order, State, Undo};
use crate::domain::payment::{Payment, ProviderPayment};
use crate::error::Error;
use crate::store::order::history::{self, Entry};
use crate::store::order::{Moved as Row, Step};
use crate::store::saga::Hold;
use crate::store::{self};

/// Where a saga goes.
#[derive(Clone, Debug)]
pub(super) enum To {
    /// The buyer has to do something, until then.
    Wait {
        until: DateTime<Utc>,
    },
    /// Past the pivot.
    Capture,
    Confirm,
    /// Durable before anything is undone.
    Release {
        undo: Undo,
        paid: bool,
    },
    /// Everything is undone.
    End {
        undo: Undo,
        review: Option<&'static str>,
    },
}

/// A move to be made.
#[derive(Clone)]
pub(super) struct Move {
    pub(super) hold: Hold,
    /// As it is before.
    pub(super) order: Order,
    pub(super) to: To,
    /// What the provider said, not yet in our books.
    pub(super) fact: Option<ProviderPayment>,
    /// With that fact in it.
    pub(super) payment: Option<Payment>,
    /// Somebody's key waits for the answer.
    pub(super) keyed: bool,
    pub(super) trace: Trace,
}

/// Whoever acts when nobody does.
pub(super) const ACTOR: &str = "orders";

impl To {
    /// Passed when the move is committed.
    pub(super) fn crash_point(&self) -> &'static str {
        match self {
            Self::Wait { .. } => "orders.waiting",
            Self::Capture => "orders.capturing",
            Self::Confirm => "orders.confirmed",
            Self::Release { .. } => "orders.releasing",
            Self::End { .. } => "orders.ended",
        }
    }

    fn state(&self) -> State {
        match self {
            Self::Wait { .. } => State::AwaitingPayment,
            Self::Capture => State::Capturing,
            Self::Confirm => State::Confirmed,
            Self::Release { .. } => State::Releasing,
            Self::End { undo, .. } => undo.to,
        }
    }

    /// Moves that are alike go into one statement.
    fn kind(&self, order: &Order) -> (State, State, String, [&'static str; 2]) {
        let reason = match self {
            Self::End { undo, review } => [undo.why.code, review.unwrap_or_default()],
            _ => [""; 2],
        };
        (order.state, self.state(), order.review_reason.clone(), reason)
    }
}

/// Makes all the moves, or none: `Irregular` when one of them cannot be made.
pub(super) async fn write(
    app: &App,
    encode: Encode,
    tx: &Tx,
    moves: &[&Move],
) -> Result<Vec<Moved>, Trouble> {
    if moves.is_empty() {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    let mut alike: HashMap<_, Vec<&Move>> = HashMap::new();
    for wanted in moves {
        alike.entry(wanted.to.kind(&wanted.order)).or_default().push(wanted);
    }
    let mut rows: HashMap<OrderId, Row> = HashMap::new();
    for some in alike.values() {
        for row in move_alike(tx, some, now).await? {
            rows.insert(row.id, row);
        }
    }
    let mut entries = Vec::with_capacity(moves.len());
    let mut events = Vec::new();
    let mut moved = Vec::with_capacity(moves.len());
    for wanted in moves {
        let row = rows.get(&wanted.order.id).ok_or(Trouble::Irregular)?;
        entries.push(entry(wanted, row));
        let (after, said) = one(app, encode, tx, wanted, row, now).await?;
        events.extend(said);
        moved.push(after);
    }
    history::insert_many(tx, entries, now).await?;
    app.outbox.append(tx, events).await?;
    Ok(moved)
}

/// Orders first, then sagas.
async fn move_alike(tx: &Tx, alike: &[&Move], now: DateTime<Utc>) -> Result<Vec<Row>, Trouble> {
    let Some(first) = alike.first() else { return Ok(Vec::new()) };
    let (from, to) = (first.order.state, first.to.state());
    if !from.may_become(to) {
        let told = format!("an order cannot go from {} to {}", from.as_str(), to.as_str());
        return Err(Trouble::Failed(Error::Broken(told)));
    }
    let ended = matches!(first.to, To::Confirm | To::End { .. });
    let idle = ended && first.order.review_reason == super::review::NO_PROGRESS;
    let reason = match &first.to {
        To::End { undo, .. } => Some(undo.why.code),
        _ => None,
    };
    let review = match &first.to {
        To::End { review: Some(why), .. } => Some(*why),
        _ => idle.then_some(""),
    };
    let step = Step {
        from: &[from],
        to: Some(to),
        unless_cancelled: matches!(first.to, To::Capture),
        told: ended,
        reason,
        confirmed: matches!(first.to, To::Confirm),
        review,
        ..Step::default()
    };
    let ids = alike.iter().map(|wanted| wanted.order.id);
    let rows = store::order::step(tx, ids, &step, now).await?;
    let holds: Vec<Hold> = alike.iter().map(|wanted| wanted.hold).collect();
    let held: HashSet<Uuid> = match &first.to {
        To::Wait { .. } => store::saga::advance(tx, &holds, "awaiting", now).await?,
        To::Capture => store::saga::advance(tx, &holds, "capturing", now).await?,
        To::Release { .. } => store::saga::advance(tx, &holds, "releasing", now).await?,
        To::Confirm | To::End { .. } => store::saga::end(tx, &holds).await?,
    }
    .into_iter()
    .collect();
    if rows.len() < alike.len() || held.len() < alike.len() {
        return Err(Trouble::Irregular);
    }
    Ok(rows)
}

fn entry(wanted: &Move, row: &Row) -> Entry {
    let text = match &wanted.to {
        To::Release { undo, .. } | To::End { undo, .. } => undo.why.code.to_owned(),
        _ => String::new(),
    };
    let asked = wanted.order.cancel.as_ref().map(|wish| wish.actor.clone());
    let actor = match &wanted.to {
        To::Release { undo, .. } | To::End { undo, .. } if undo.to == State::Cancelled => asked,
        _ => None,
    };
    Entry {
        order_id: wanted.order.id,
        seq: row.seq,
        kind: "state",
        from: Some(wanted.order.state),
        to: Some(wanted.to.state()),
        actor: actor.unwrap_or_else(|| ACTOR.to_owned()),
        text,
    }
}

/// What belongs to one order's move: the payment's fact, what comes back, the answer, the event.
async fn one(
    app: &App,
    encode: Encode,
    tx: &Tx,
    wanted: &Move,
    row: &Row,
    now: DateTime<Utc>,
) -> Result<(Moved, Option<NewEvent>), Trouble> {
    let mut order = Order {
        state: wanted.to.state(),
        version: row.version,
        updated_at: now,
        ..wanted.order.clone()
    };
    if let Some(fact) = &wanted.fact {
        payment::apply(app, tx, order.id, fact).await?;
    }
    let mut refund = None;
    let mut said = None;
    let mut told: Option<(Outcome, Option<Refusal>)> = None;
    match &wanted.to {
        To::Capture => {}
        To::Wait { until } => {
            store::saga::put_off(tx, next(wanted.hold), *until, now, "").await?;
            told = Some((Outcome::InProgress, None));
        }
        To::Confirm => {
            order.confirmed_at = Some(now);
            said = Some(event::confirmed(&order, ACTOR, &wanted.trace));
            told = Some((Outcome::Confirmed, None));
        }
        To::Release { undo, paid } => {
            let undo = super::undo::remembered(undo, *paid);
            store::saga::remember_undo(tx, wanted.hold.id, undo).await?;
        }
        To::End { undo, .. } => {
            undo.why.code.clone_into(&mut order.reason);
            if order.quote.coupon.is_some() {
                store::coupon::give_back(tx, order.id).await?;
            }
            if undo.restores_cart() {
                restore_cart(tx, &order, now).await?;
            }
            said = Some(event::undone(&order, ACTOR, &wanted.trace));
            let outcome = match undo.to {
                State::PaymentFailed => Outcome::Declined,
                _ => Outcome::Refused,
            };
            told = Some((outcome, Some(undo.why.clone())));
        }
    }
    // asked while the money was taken: it goes back
    if row.cancel_requested && matches!(wanted.to, To::Confirm) {
        refund = Some(refund_at_once(app, tx, &order).await?);
    }
    let answer = match told {
        None => None,
        Some((outcome, refusal)) => {
            let placed = Placed {
                outcome,
                order: order.clone(),
                payment: wanted.payment.clone(),
                refusal,
                trace_id: wanted.trace.id.clone(),
            };
            let bytes = encode(&placed);
            let first =
                !wanted.keyed || store::answer::settle_order(tx, order.id, bytes.clone()).await?;
            first.then_some(bytes)
        }
    };
    Ok((Moved { order, answer, refund }, said))
}

fn next(hold: Hold) -> Hold {
    Hold { version: hold.version + 1, ..hold }
}

async fn restore_cart(tx: &Tx, order: &Order, now: DateTime<Utc>) -> Result<(), Error> {
    let lines: Vec<store::cart::Restored> = order
        .quote
        .lines
        .iter()
        .map(|line| store::cart::Restored {
            product_id: line.product_id,
            quantity: line.quantity,
            seen_price: line.unit_price,
            seen_currency: order.quote.currency,
            seen_version: line.product_version,
            sku: line.sku.clone(),
            name: line.name.clone(),
            digital: line.digital,
        })
        .collect();
    store::cart::restore(tx, order.user_id, &lines, now).await?;
    Ok(())
}

async fn refund_at_once(app: &App, tx: &Tx, order: &Order) -> Result<Uuid, Error> {
    // who asked stands in the row, not in what the saga knew when it began
    let fresh = store::order::find_for_update(tx, order.id).await?;
    let cancel = fresh.as_ref().and_then(|order| order.cancel.clone());
    let actor = cancel.map_or_else(|| ACTOR.to_owned(), |wish| wish.actor);
    let order = fresh.ok_or(Error::OrderNotFound)?;
    let wish = Wish { restock: true, reason: "cancelled".to_owned(), ..Wish::default() };
    let (refund, _) = begin_refund(app, tx, &order, &wish, &actor, Uuid::nil()).await?;
    Ok(refund.id.uuid())
}
