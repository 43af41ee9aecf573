//! Giving money back: decided under the order's lock, then driven like a saga.
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use souk_audit::NewEntry;
use souk_storage::Tx;
use souk_values::{Money, OrderId, RefundId, UserId};
use uuid::Uuid;

use super::{EncodeWhole, Once, Trace, fulfil, whole};
use crate::app::App;
use crate::domain::order::refund::{Decided, Unrefundable, Wish, decide};
use crate::domain::order::{Order, Refund, RefundState, State};
use crate::error::Error;
use crate::store::answer::Claim;
use crate::store::order::Step;
use crate::store::order::history::{self, Entry};
use crate::store::saga::Model;
use crate::store::{self};

const LOOK: Duration = Duration::from_millis(25);
/// A request that ended without its answer being known is over after this time.
const ABANDONED: TimeDelta = TimeDelta::seconds(2);

/// What staff ask for, and how the request is known.
pub(crate) struct Request {
    pub(crate) id: OrderId,
    pub(crate) wish: Wish,
    pub(crate) staff: UserId,
    pub(crate) once: Option<Once>,
    pub(crate) expected: Option<u64>,
}

/// Refunds part or all of an order; answers the order, in bytes that a repeated request gets again.
pub(crate) async fn refund(
    app: &App,
    request: Request,
    encode: EncodeWhole,
) -> Result<Vec<u8>, Error> {
    if let Some(answer) = repeated(app, &request, encode).await? {
        return Ok(answer);
    }
    let until = Instant::now() + Duration::from_millis(app.config.wait_ms);
    match decided(app, &request).await {
        Ok(()) => {}
        Err(Error::KeyRaced) => {
            return repeated(app, &request, encode).await?.ok_or(Error::KeyRaced);
        }
        Err(error) => return Err(error),
    }
    let db = store::order::fresh(&app.db);
    while Instant::now() < until && !store::saga::of_order(db, request.id).await?.is_empty() {
        tokio::time::sleep(LOOK).await;
    }
    settle(app, &request, encode).await
}

async fn decided(app: &App, request: &Request) -> Result<(), Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if let Some(once) = &request.once {
        let claim = Claim {
            user_id: request.staff,
            key: once.key.clone(),
            fingerprint: once.fingerprint.clone(),
            order_id: None,
            trace_id: Trace::current().id,
        };
        let won = store::answer::claim(&tx, &[claim], now).await?;
        if won != [true] {
            return Err(Error::KeyRaced);
        }
    }
    let held = store::order::find_for_update(&tx, request.id).await?;
    let order = held.ok_or(Error::OrderNotFound)?;
    fulfil::require_version(&order, request.expected)?;
    let owner = app.sagas.owner();
    let actor = request.staff.to_string();
    let (made, saga) = begin(app, &tx, &order, &request.wish, &actor, owner).await?;
    let told = NewEntry::new("order.refunded", format!("order/{}", order.id))
        .change("refund", "", made.id)
        .change("amount", "", made.amount_in(order.currency()))
        .change("restock", "", made.restock)
        .change("reason", "", &made.reason);
    app.audit.record(&tx, told).await?;
    tx.commit().await?;
    app.sagas.drive(app.clone(), saga);
    Ok(())
}

/// Writes a refund and its saga into the transaction that holds the order. With a nil owner it is
/// for whoever comes first.
pub(crate) async fn begin(
    app: &App,
    tx: &Tx,
    order: &Order,
    wish: &Wish,
    actor: &str,
    owner: Uuid,
) -> Result<(Refund, Model), Error> {
    let now = app.clock.now();
    let before = store::refund::of_order(tx, order.id).await?;
    let Decided { amount, lines, all } =
        decide(order, &before, wish).map_err(|why| refused(order, why))?;
    let refund = Refund {
        id: RefundId::new(),
        order_id: order.id,
        number: before.last().map_or(1, |last| last.number.saturating_add(1)),
        amount,
        reason: wish.reason.clone(),
        state: RefundState::Pending,
        restock: wish.restock,
        actor: actor.to_owned(),
        created_at: now,
        lines,
    };
    store::refund::insert(tx, &refund).await?;
    let moves = all && order.state != State::RefundPending;
    let step = Step { to: moves.then_some(State::RefundPending), ..Step::default() };
    let rows = store::order::step(tx, [order.id], &step, now).await?;
    let row = rows.first().ok_or(Error::OrderNotFound)?;
    let entry = Entry {
        order_id: order.id,
        seq: row.seq,
        kind: if moves { "state" } else { "refund" },
        from: moves.then_some(order.state),
        to: moves.then_some(State::RefundPending),
        actor: actor.to_owned(),
        text: format!("{} to be given back: {}", refund.amount_in(order.currency()), wish.reason),
    };
    history::insert_many(tx, vec![entry], now).await?;
    let mut saga = Model::begun(refund.id.uuid(), order.id, "refund", "refunding", owner, now);
    if owner.is_nil() {
        saga.lease_until = now;
    }
    store::saga::insert_many(tx, vec![saga.clone()]).await?;
    Ok((refund, saga))
}

fn refused(order: &Order, why: Unrefundable) -> Error {
    match why {
        Unrefundable::NotPaid => Error::WrongState {
            state: order.state.status().to_owned(),
            wanted: "refunded",
            code: "not_paid",
        },
        Unrefundable::TooLarge { left } => {
            Error::RefundTooLarge { left: Money::new(left, order.currency()).decimal() }
        }
        Unrefundable::Line { index, must } => Error::field(&format!("lines[{index}]"), must),
        Unrefundable::Nothing => Error::field("amount", "must be more than nothing"),
    }
}

async fn repeated(
    app: &App,
    request: &Request,
    encode: EncodeWhole,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(once) = &request.once else { return Ok(None) };
    let now = app.clock.now();
    let db = store::order::fresh(&app.db);
    let Some(kept) = store::answer::find(db, request.staff, &once.key, now).await? else {
        return Ok(None);
    };
    if kept.fingerprint != once.fingerprint {
        return Err(Error::KeyReused);
    }
    if let Some(answer) = kept.answer {
        return Ok(Some(answer));
    }
    let wait = i64::try_from(app.config.wait_ms).unwrap_or(i64::MAX);
    if now - kept.created_at <= TimeDelta::milliseconds(wait) + ABANDONED {
        return Err(Error::KeyRaced);
    }
    settle(app, request, encode).await.map(Some)
}

/// The order as it is now, unless another answer was given before: that one.
async fn settle(app: &App, request: &Request, encode: EncodeWhole) -> Result<Vec<u8>, Error> {
    let found = store::order::find(store::order::fresh(&app.db), request.id).await?;
    let bytes = encode(&whole(app, found.ok_or(Error::OrderNotFound)?, true).await?);
    let Some(once) = &request.once else { return Ok(bytes) };
    let db = app.db.write();
    if store::answer::settle(db, request.staff, &once.key, bytes.clone()).await? {
        return Ok(bytes);
    }
    let kept = store::answer::find(db, request.staff, &once.key, app.clock.now()).await?;
    Ok(kept.and_then(|kept| kept.answer).unwrap_or(bytes))
}
