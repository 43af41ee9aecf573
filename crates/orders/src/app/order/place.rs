//! Placing an order: quoted with the code that charges, accepted once, driven to its end.
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rand::RngExt;
use souk_values::{OrderId, UserId};

use super::{Encode, Once, Outcome, Placed, Trace};
use crate::app::saga::{Accept, Placing, UNDO_CODES};
use crate::app::{App, quote};
use crate::domain::address::Checkout;
use crate::domain::change::Refusal;
use crate::domain::order::{Order, State, number};
use crate::domain::payment::Payment;
use crate::error::Error;
use crate::store::answer::Claim;
use crate::store::{self};

/// A request that ended without its answer being known is over after this time.
const ABANDONED: TimeDelta = TimeDelta::seconds(2);

/// Places an order of the user's cart. Answers when it has ended or waits for the buyer, or when
/// waiting has taken long enough. The same key with the same request gets the same bytes.
pub(crate) async fn place(
    app: &App,
    user: UserId,
    checkout: &Checkout,
    once: Option<Once>,
    encode: Encode,
) -> Result<Vec<u8>, Error> {
    let until = Instant::now() + Duration::from_millis(app.config.wait_ms);
    if let Some(answer) = repeated(app, user, once.as_ref(), encode).await? {
        return Ok(answer);
    }
    let trace = Trace::current();
    let accept = match prepare(app, user, checkout, once.as_ref(), &trace).await {
        Ok(accept) => accept,
        // its twin was faster and has taken the cart
        Err(error) => {
            return repeated(app, user, once.as_ref(), encode).await?.ok_or(error);
        }
    };
    let (order, payment) = (accept.order.clone(), accept.payment.clone());
    let Placing { accepted, answer } = app.sagas.start(app.clone(), accept);
    let stopped = || Error::Broken("the process stops".to_owned());
    if let Err(error) = accepted.await.map_err(|_| stopped())? {
        return repeated(app, user, once.as_ref(), encode).await?.ok_or(error);
    }
    let waited = tokio::time::timeout_at(until.into(), answer).await;
    if let Ok(Ok(Some(bytes))) = waited {
        return Ok(bytes);
    }
    // somebody else drives it now, a neighbor is away, or it takes too long
    let fresh = store::order::find(app.db.write(), order.id).await?.unwrap_or(order);
    let payment = store::payment::find(app.db.write(), fresh.id).await?.or(payment);
    settle(app, user, once.as_ref(), fresh, payment, trace.id, encode).await
}

/// What the key was answered before. Running still: 409; abandoned: it is in progress.
async fn repeated(
    app: &App,
    user: UserId,
    once: Option<&Once>,
    encode: Encode,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(once) = once else { return Ok(None) };
    let now = app.clock.now();
    let db = store::order::fresh(&app.db);
    let Some(kept) = store::answer::find(db, user, &once.key, now).await? else {
        return Ok(None);
    };
    if kept.fingerprint != once.fingerprint {
        return Err(Error::KeyReused);
    }
    if let Some(answer) = kept.answer {
        return Ok(Some(answer));
    }
    let wait = i64::try_from(app.config.wait_ms).unwrap_or(i64::MAX);
    let order_id = match kept.order_id {
        Some(id) if now - kept.created_at > TimeDelta::milliseconds(wait) + ABANDONED => id,
        _ => return Err(Error::KeyRaced),
    };
    let order = store::order::find(db, order_id).await?.ok_or(Error::OrderNotFound)?;
    let payment = store::payment::find(db, order_id).await?;
    let trace_id = kept.trace_id;
    settle(app, user, Some(once), order, payment, trace_id, encode).await.map(Some)
}

/// What can be said of an order by its state alone.
fn standing(order: &Order) -> (Outcome, Option<Refusal>) {
    let why = || {
        let code = UNDO_CODES.into_iter().find(|code| *code == order.reason);
        Refusal::new(code.unwrap_or("rejected"), "the order could not be finished")
    };
    match order.state {
        State::PaymentFailed => (Outcome::Declined, Some(why())),
        state if state.is_undone() => (Outcome::Refused, Some(why())),
        state if state.is_paid() => (Outcome::Confirmed, None),
        _ => (Outcome::InProgress, None),
    }
}

/// How the order stands, unless another answer was given before: that one.
async fn settle(
    app: &App,
    user: UserId,
    once: Option<&Once>,
    order: Order,
    payment: Option<Payment>,
    trace_id: String,
    encode: Encode,
) -> Result<Vec<u8>, Error> {
    let (outcome, refusal) = standing(&order);
    let bytes = encode(&Placed { outcome, order, payment, refusal, trace_id });
    let Some(once) = once else { return Ok(bytes) };
    let db = app.db.write();
    if store::answer::settle(db, user, &once.key, bytes.clone()).await? {
        return Ok(bytes);
    }
    let kept = store::answer::find(db, user, &once.key, app.clock.now()).await?;
    Ok(kept.and_then(|kept| kept.answer).unwrap_or(bytes))
}

/// Everything that can be refused before anything is written.
async fn prepare(
    app: &App,
    user: UserId,
    checkout: &Checkout,
    once: Option<&Once>,
    trace: &Trace,
) -> Result<Accept, Error> {
    let priced = quote::quote(app, Some(user), checkout).await?;
    if checkout.payment_method.is_empty()
        && priced.quote.total > 0
        && !app.config.payments.default_method
    {
        return Err(Error::field("payment_method", "is required"));
    }
    let method = checkout.payment_method.as_str();
    if !method.is_empty() {
        let known = app.provider.accepts(&user.to_string(), method).await;
        if !known.map_err(|_| Error::ProviderAway)? {
            return Err(Error::field("payment_method", "is not one of yours"));
        }
    }
    let id = OrderId::new();
    let now = app.clock.now();
    let order = Order {
        id,
        number: number(rand::rng().random()),
        user_id: user,
        cart_id: priced.cart.id,
        cart_version: priced.cart.version,
        state: State::Created,
        reason: String::new(),
        quote: priced.quote,
        shipping_address: priced.shipping_address,
        billing_address: priced.billing_address,
        note: checkout.note.clone(),
        payment_method: checkout.payment_method.clone(),
        needs_review: false,
        review_reason: String::new(),
        cancel: None,
        refunded: 0,
        version: 1,
        created_at: now,
        updated_at: now,
        confirmed_at: None,
    };
    let payment = (!order.is_free())
        .then(|| Payment::new(id, app.provider.name(), &order.payment_method, order.total(), now));
    let claim = once.map(|once| Claim {
        user_id: user,
        key: once.key.clone(),
        fingerprint: once.fingerprint.clone(),
        order_id: Some(id),
        trace_id: trace.id.clone(),
    });
    let owner = app.sagas.owner();
    Ok(Accept { order, claim, payment, owner, actor: user.to_string(), trace: trace.clone() })
}
