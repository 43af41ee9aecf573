//! Cancelling: before the pivot the saga undoes everything, after it the money goes back.
use std::time::{Duration, Instant};

use souk_audit::NewEntry;
use souk_values::OrderId;
use uuid::Uuid;

use super::refund;
use crate::app::App;
use crate::domain::order::refund::Wish;
use crate::domain::order::{CancelWish, Cancelling, Order, State, cancelling};
use crate::error::Error;
use crate::store::order::Step;
use crate::store::order::history::{self, Entry};
use crate::store::{self};

/// How long the answer waits for the saga.
const WAIT: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(25);

/// Cancels an order. Asking twice is asking once. `may_refund`: also when money must go back.
pub(crate) async fn cancel(
    app: &App,
    id: OrderId,
    wish: CancelWish,
    expected: Option<u64>,
    may_refund: bool,
) -> Result<Order, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let held = store::order::find_for_update(&tx, id).await?;
    let order = held.ok_or(Error::OrderNotFound)?;
    super::fulfil::require_version(&order, expected)?;
    if !may_refund && matches!(order.state, State::Capturing | State::Confirmed) {
        return Err(Error::SecondFactorNeeded);
    }
    match cancelling(order.state) {
        None => {
            return Err(Error::WrongState {
                state: order.state.status().to_owned(),
                wanted: "cancelled",
                code: "not_cancellable",
            });
        }
        Some(Cancelling::Ask) if order.cancel.is_none() => {
            let step = Step { cancel: Some(&wish), ..Step::default() };
            let rows = store::order::step(&tx, [id], &step, now).await?;
            let entries = rows.iter().map(|row| Entry {
                order_id: id,
                seq: row.seq,
                kind: "note",
                from: None,
                to: None,
                actor: wish.actor.clone(),
                text: "asked to cancel".to_owned(),
            });
            history::insert_many(&tx, entries.collect(), now).await?;
            app.audit.record(&tx, told(&order, &wish)).await?;
            tx.commit().await?;
        }
        Some(Cancelling::Ask) => drop(tx),
        Some(Cancelling::Refund) => {
            let everything =
                Wish { restock: true, reason: "cancelled".to_owned(), ..Wish::default() };
            refund::begin(app, &tx, &order, &everything, &wish.actor, Uuid::nil()).await?;
            app.audit.record(&tx, told(&order, &wish)).await?;
            tx.commit().await?;
        }
    }
    app.sagas.wake(id);
    ended(app, id).await
}

fn told(order: &Order, wish: &CancelWish) -> NewEntry {
    NewEntry::new("order.cancelled", format!("order/{}", order.id))
        .actor(&wish.actor)
        .change("state", order.state.status(), "to be cancelled")
        .change("reason", "", &wish.reason)
}

/// The order when its saga has ended, or as it is after a while.
async fn ended(app: &App, id: OrderId) -> Result<Order, Error> {
    let until = Instant::now() + WAIT;
    let db = store::order::fresh(&app.db);
    loop {
        let left = store::saga::of_order(db, id).await?;
        if left.is_empty() || Instant::now() >= until {
            return store::order::find(db, id).await?.ok_or(Error::OrderNotFound);
        }
        tokio::time::sleep(LOOK).await;
    }
}
