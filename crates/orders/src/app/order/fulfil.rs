//! What staff do with an order: send, deliver, note, resume.
use chrono::{DateTime, Utc};
use souk_audit::NewEntry;
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::OrderId;

use super::{Trace, event};
use crate::app::App;
use crate::domain::order::{Order, State};
use crate::error::Error;
use crate::store::order::history::{self, Entry};
use crate::store::order::{Moved, Step};
use crate::store::refund::shipment;
use crate::store::{self};

/// How an order goes on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shipping {
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    pub(crate) tracking_url: String,
}

/// Marks a confirmed order as sent.
pub(crate) async fn ship(
    app: &App,
    id: OrderId,
    shipping: Shipping,
    actor: &str,
    expected: Option<u64>,
) -> Result<Order, Error> {
    let (tx, order) = hold(app, id, expected).await?;
    let now = app.clock.now();
    if order.state != State::Confirmed {
        return Err(wrong(&order, "shipped", "already_shipped"));
    }
    if order.is_all_digital() {
        return Err(Error::Conflict("nothing_to_ship", "the order holds digital goods only"));
    }
    let row = shipment::Model {
        order_id: id,
        carrier: shipping.carrier,
        tracking_number: shipping.tracking_number,
        tracking_url: shipping.tracking_url,
        actor: actor.to_owned(),
        shipped_at: now,
    };
    shipment::insert(&tx, row.clone()).await?;
    let step = Step { to: Some(State::Shipped), told: true, ..Step::default() };
    let text = format!("{} {}", row.carrier, row.tracking_number);
    let text = text.trim().to_owned();
    let change = Change { did: "order.shipped", kind: "state", step, text };
    let say = |after: &Order| event::shipped(after, &row, actor, &Trace::current());
    write(app, tx, order, change, actor, now, say).await
}

/// Marks an order as arrived. One of digital goods only needs no sending.
pub(crate) async fn deliver(
    app: &App,
    id: OrderId,
    actor: &str,
    expected: Option<u64>,
) -> Result<Order, Error> {
    let (tx, order) = hold(app, id, expected).await?;
    let fits =
        order.state == State::Shipped || order.state == State::Confirmed && order.is_all_digital();
    if !fits {
        let code =
            if order.state == State::Confirmed { "not_shipped" } else { "already_delivered" };
        return Err(wrong(&order, "delivered", code));
    }
    let step = Step { to: Some(State::Delivered), told: true, ..Step::default() };
    let change = Change { did: "order.delivered", kind: "state", step, text: String::new() };
    let say = |after: &Order| event::delivered(after, actor, &Trace::current());
    let now = app.clock.now();
    write(app, tx, order, change, actor, now, say).await
}

/// Keeps a remark, for staff only.
pub(crate) async fn add_note(
    app: &App,
    id: OrderId,
    text: String,
    actor: &str,
) -> Result<Order, Error> {
    let (tx, order) = hold(app, id, None).await?;
    let step = Step { told: true, ..Step::default() };
    let change = Change { did: "order.noted", kind: "note", step, text };
    let say = |after: &Order| event::noted(after, actor, &Trace::current());
    let now = app.clock.now();
    write(app, tx, order, change, actor, now, say).await
}

/// Somebody has looked: the flag goes, and what hangs is tried again at once.
pub(crate) async fn resume(app: &App, id: OrderId, actor: &str) -> Result<Order, Error> {
    let (tx, order) = hold(app, id, None).await?;
    let now = app.clock.now();
    store::saga::hurry(&tx, id, now).await?;
    let after = if order.needs_review {
        let step = Step { told: true, review: Some(""), ..Step::default() };
        let text = format!("looked at: {}", order.review_reason);
        let order = Order { needs_review: false, review_reason: String::new(), ..order };
        let change = Change { did: "order.resumed", kind: "note", step, text };
        let say = |after: &Order| event::noted(after, actor, &Trace::current());
        write(app, tx, order, change, actor, now, say).await?
    } else {
        app.audit.record(&tx, NewEntry::new("order.resumed", format!("order/{id}"))).await?;
        tx.commit().await?;
        order
    };
    app.sagas.wake(id);
    Ok(after)
}

/// The order, held until the transaction ends, at the version that the writer has seen.
async fn hold(app: &App, id: OrderId, expected: Option<u64>) -> Result<(Tx, Order), Error> {
    let tx = app.db.begin().await?;
    let held = store::order::find_for_update(&tx, id).await?;
    let order = held.ok_or(Error::OrderNotFound)?;
    require_version(&order, expected)?;
    Ok((tx, order))
}

pub(super) fn require_version(order: &Order, expected: Option<u64>) -> Result<(), Error> {
    match expected {
        Some(seen) if i64::try_from(seen) != Ok(order.version) => {
            Err(Error::StaleVersion { current: order.version })
        }
        _ => Ok(()),
    }
}

/// A step that does not fit: not paid yet or any more, or `beyond` when it was made before.
fn wrong(order: &Order, wanted: &'static str, beyond: &'static str) -> Error {
    let code = match order.state {
        State::RefundPending | State::Refunded => "already_refunded",
        state if state.is_paid() => beyond,
        _ => "not_paid",
    };
    Error::WrongState { state: order.state.status().to_owned(), wanted, code }
}

struct Change<'a> {
    /// The action of the audit's entry.
    did: &'static str,
    kind: &'static str,
    step: Step<'a>,
    text: String,
}

async fn write(
    app: &App,
    tx: Tx,
    order: Order,
    change: Change<'_>,
    actor: &str,
    now: DateTime<Utc>,
    say: impl FnOnce(&Order) -> NewEvent,
) -> Result<Order, Error> {
    let from = order.state;
    let rows = store::order::step(&tx, [order.id], &change.step, now).await?;
    let Moved { version, seq, .. } = *rows.first().ok_or(Error::OrderNotFound)?;
    let state = change.step.to.unwrap_or(from);
    let did = NewEntry::new(change.did, format!("order/{}", order.id))
        .change("state", from.status(), state.status())
        .change("text", "", &change.text);
    app.audit.record(&tx, did).await?;
    let entry = Entry {
        order_id: order.id,
        seq,
        kind: change.kind,
        from: change.step.to.map(|_| from),
        to: change.step.to,
        actor: actor.to_owned(),
        text: change.text,
    };
    history::insert_many(&tx, vec![entry], now).await?;
    let after = Order { state, version, updated_at: now, ..order };
    app.outbox.append(&tx, vec![say(&after)]).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(after)
}
