//! A refund's way: money back, goods back, done. Only forward; retried until it is.
use souk_events::crash;

use super::moves::ACTOR;
use super::review::{self, Round};
use super::run::{Halt, again, insist};
use crate::app::order::{Trace, event};
use crate::app::{App, payment};
use crate::domain::order::{Order, Refund, RefundState, State};
use crate::domain::payment::{ProviderError, ProviderPayment};
use crate::error::Error;
use crate::store::order::Step;
use crate::store::order::history::{self, Entry};
use crate::store::saga::{Hold, Model};
use crate::store::{self};

/// Drives a refund that this process holds, entered in its books.
pub(super) async fn drive(app: App, saga: Model) -> Result<(), Error> {
    if !app.sagas.enter(saga.id, saga.order_id) {
        return Ok(());
    }
    let driven = Box::pin(step(&app, &saga)).await;
    app.sagas.leave(saga.id);
    driven
}

async fn step(app: &App, saga: &Model) -> Result<(), Error> {
    let db = app.db.write();
    let order = store::order::find(db, saga.order_id).await?.ok_or(Error::OrderNotFound)?;
    let refunds = store::refund::of_order(db, saga.order_id).await?;
    let refund = refunds.into_iter().find(|refund| refund.id.uuid() == saga.id);
    let refund = refund.ok_or_else(|| Error::Broken("a saga without its refund".to_owned()))?;
    let hold = Hold { id: saga.id, version: saga.version };
    let (error, impossible) = match make(app, hold, &order, &refund).await {
        Ok(()) | Err(Halt::Lost) => return Ok(()),
        Err(Halt::Later(error)) => (error, None),
        Err(Halt::Impossible(code, error)) => (error, Some(code)),
    };
    let round = Round {
        hold,
        order: &order,
        attempts: saga.attempts,
        progress_at: saga.progress_at,
        error: &error,
        impossible,
    };
    Ok(review::put_off(app, &round).await?)
}

async fn make(app: &App, hold: Hold, order: &Order, refund: &Refund) -> Result<(), Halt> {
    let mut fact = None;
    if refund.amount > 0 {
        crash::point("orders.refunding");
        match money_back(app, order, refund).await? {
            Ok(said) => fact = Some(said),
            Err(code) => return refused(app, hold, order, refund, &code).await,
        }
    }
    crash::point("orders.refunded");
    if refund.restock {
        let physical: Vec<_> = refund
            .lines
            .iter()
            .filter(|(id, _)| {
                order.quote.lines.iter().any(|line| line.product_id == *id && !line.digital)
            })
            .copied()
            .collect();
        if !physical.is_empty() {
            let returned = || app.catalog.return_to_stock(order.id, refund.id, &physical);
            again(returned).await?;
        }
    }
    crash::point("orders.restocked");
    done(app, hold, order, refund, fact).await
}

/// `Ok(Err(code))`: the provider refuses for good.
async fn money_back(
    app: &App,
    order: &Order,
    refund: &Refund,
) -> Result<Result<ProviderPayment, String>, Halt> {
    let known = store::payment::find(app.db.write(), order.id).await?;
    let known = known.ok_or_else(|| {
        Halt::Impossible("payment_missing", "the order has no payment".to_owned())
    })?;
    let key = known.refund_key(refund.number);
    match insist(|| app.provider.refund(&known.reference, refund.amount, &key)).await {
        Ok(fact) => Ok(Ok(fact)),
        Err(ProviderError::Refused { code }) => Ok(Err(code)),
        Err(ProviderError::Unknown(error)) => Err(Halt::Later(error)),
    }
}

/// One transaction: the refund is done, and everybody is told.
async fn done(
    app: &App,
    hold: Hold,
    order: &Order,
    refund: &Refund,
    fact: Option<ProviderPayment>,
) -> Result<(), Halt> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let held = store::order::find_for_update(&tx, order.id).await?;
    let current = held.ok_or(Halt::Lost)?;
    if store::saga::end(&tx, &[hold]).await?.is_empty()
        || !store::refund::end(&tx, refund.id, RefundState::Done, now).await?
    {
        return Err(Halt::Lost);
    }
    if let Some(fact) = fact {
        payment::apply(app, &tx, order.id, &fact).await?;
    }
    let others = store::refund::of_order(&tx, order.id).await?;
    let pending = others.iter().any(|other| other.state == RefundState::Pending);
    let refunded = current.refunded.saturating_add(refund.amount);
    let over = current.state == State::RefundPending && refunded >= current.quote.total && !pending;
    let idle = current.review_reason == review::NO_PROGRESS && !pending;
    let step = Step {
        to: over.then_some(State::Refunded),
        told: true,
        reason: over.then_some(refund.reason.as_str()).filter(|reason| *reason == "cancelled"),
        review: idle.then_some(""),
        refunded: refund.amount,
        ..Step::default()
    };
    let rows = store::order::step(&tx, [order.id], &step, now).await?;
    let row = rows.first().ok_or(Halt::Lost)?;
    let entry = Entry {
        order_id: order.id,
        seq: row.seq,
        kind: if over { "state" } else { "refund" },
        from: over.then_some(current.state),
        to: over.then_some(State::Refunded),
        actor: ACTOR.to_owned(),
        text: format!("{} given back", refund.amount_in(current.currency())),
    };
    history::insert_many(&tx, vec![entry], now).await?;
    let after = Order {
        state: if over { State::Refunded } else { current.state },
        version: row.version,
        refunded,
        ..current
    };
    let event = event::refunded(&after, refund, &Trace::current());
    app.outbox.append(&tx, vec![event]).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}

/// The provider gives nothing back: a person decides.
async fn refused(
    app: &App,
    hold: Hold,
    order: &Order,
    refund: &Refund,
    code: &str,
) -> Result<(), Halt> {
    const WHY: &str = "refund_refused";
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let held = store::order::find_for_update(&tx, order.id).await?;
    let current = held.ok_or(Halt::Lost)?;
    if store::saga::end(&tx, &[hold]).await?.is_empty() {
        return Err(Halt::Lost);
    }
    let failed = RefundState::Failed;
    store::refund::end(&tx, refund.id, failed, now).await?;
    let step = Step { told: true, review: Some(WHY), ..Step::default() };
    let rows = store::order::step(&tx, [order.id], &step, now).await?;
    let row = rows.first().ok_or(Halt::Lost)?;
    let entry = Entry {
        order_id: order.id,
        seq: row.seq,
        kind: "refund",
        from: None,
        to: None,
        actor: ACTOR.to_owned(),
        text: format!("the provider refused to give money back: {code}"),
    };
    history::insert_many(&tx, vec![entry], now).await?;
    let after = Order { version: row.version, ..current };
    let event = event::review(&after, WHY, ACTOR, &Trace::current());
    app.outbox.append(&tx, vec![event]).await?;
    tx.commit().await?;
    app.outbox.wake();
    tracing::error!(order.id = %order.id, why = WHY, "order needs review");
    Ok(())
}
