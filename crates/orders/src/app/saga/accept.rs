//! Accepting orders: key, coupon, cart, order, saga, payment and event in one transaction.
use souk_storage::Tx;
use uuid::Uuid;

use super::commit::{Done, Trouble};
use crate::app::App;
use crate::app::order::{Trace, event};
use crate::domain::order::{Order, State};
use crate::domain::payment::Payment;
use crate::error::Error;
use crate::store::answer::Claim;
use crate::store::order::history::Entry;
use crate::store::saga::{Hold, Model};
use crate::store::{self};

/// An order to be accepted.
#[derive(Clone)]
pub(crate) struct Accept {
    pub(crate) order: Order,
    pub(crate) claim: Option<Claim>,
    /// `None`: nothing to pay.
    pub(crate) payment: Option<Payment>,
    pub(crate) owner: Uuid,
    pub(crate) actor: String,
    pub(crate) trace: Trace,
}

/// Accepts those that can be. A refusal of one leaves nothing behind and does not disturb the
/// others.
pub(super) async fn write(
    app: &App,
    tx: &Tx,
    accepts: &[&Accept],
) -> Result<Vec<Result<Done, Error>>, Trouble> {
    let now = app.clock.now();
    let mut refused: Vec<Option<Error>> = accepts.iter().map(|_| None).collect();
    claim_keys(tx, accepts, &mut refused, now).await?;
    take_coupons(tx, accepts, &mut refused, now).await?;
    empty_carts(tx, accepts, &mut refused).await?;
    let good: Vec<&Accept> =
        accepts.iter().zip(&refused).filter(|(_, r)| r.is_none()).map(|(a, _)| *a).collect();
    insert(app, tx, &good, now).await?;
    let outcomes = accepts.iter().zip(refused).map(|(accept, refused)| match refused {
        Some(error) => Err(error),
        None => Ok(Done::Accepted(Hold { id: accept.order.id.uuid(), version: 1 })),
    });
    Ok(outcomes.collect())
}

type Time = chrono::DateTime<chrono::Utc>;

async fn claim_keys(
    tx: &Tx,
    accepts: &[&Accept],
    refused: &mut [Option<Error>],
    now: Time,
) -> Result<(), Error> {
    // in one order: two processes never wait for each other
    let mut keyed: Vec<(usize, Claim)> = accepts
        .iter()
        .enumerate()
        .filter_map(|(at, accept)| Some((at, accept.claim.clone()?)))
        .collect();
    keyed.sort_by(|(_, a), (_, b)| (a.user_id, &a.key).cmp(&(b.user_id, &b.key)));
    let (places, claims): (Vec<usize>, Vec<Claim>) = keyed.into_iter().unzip();
    let won = store::answer::claim(tx, &claims, now).await?;
    for (at, won) in places.into_iter().zip(won) {
        if !won {
            refused[at] = Some(Error::KeyRaced);
        }
    }
    Ok(())
}

async fn take_coupons(
    tx: &Tx,
    accepts: &[&Accept],
    refused: &mut [Option<Error>],
    now: Time,
) -> Result<(), Error> {
    let mut with: Vec<(usize, &str)> = accepts
        .iter()
        .enumerate()
        .filter(|(at, _)| refused[*at].is_none())
        .filter_map(|(at, accept)| Some((at, accept.order.quote.coupon.as_deref()?)))
        .collect();
    with.sort_by_key(|(_, code)| *code);
    for (at, code) in with {
        let order = &accepts[at].order;
        if let Err(refusal) = store::coupon::take(tx, code, order.user_id, order.id, now).await? {
            refused[at] = Some(Error::Refused(refusal));
            give_back_key(tx, accepts[at]).await?;
        }
    }
    Ok(())
}

async fn empty_carts(
    tx: &Tx,
    accepts: &[&Accept],
    refused: &mut [Option<Error>],
) -> Result<(), Error> {
    let mut left: Vec<usize> = (0..accepts.len()).filter(|at| refused[*at].is_none()).collect();
    left.sort_by_key(|at| accepts[*at].order.cart_id);
    for at in left {
        let order = &accepts[at].order;
        if store::cart::empty(tx, order.cart_id, order.cart_version).await? {
            continue;
        }
        let cart = store::cart::find_of_user(tx, order.user_id).await?;
        let current = cart.map_or(0, |cart| cart.version.unsigned_abs());
        refused[at] = Some(Error::CartChanged { current });
        if order.quote.coupon.is_some() {
            store::coupon::give_back(tx, order.id).await?;
        }
        give_back_key(tx, accepts[at]).await?;
    }
    Ok(())
}

async fn give_back_key(tx: &Tx, accept: &Accept) -> Result<(), Error> {
    if let Some(claim) = &accept.claim {
        store::answer::give_back(tx, claim.user_id, &claim.key).await?;
    }
    Ok(())
}

async fn insert(app: &App, tx: &Tx, good: &[&Accept], now: Time) -> Result<(), Error> {
    if good.is_empty() {
        return Ok(());
    }
    let orders: Vec<&Order> = good.iter().map(|accept| &accept.order).collect();
    store::order::insert_many(tx, &orders).await?;
    let entries = good.iter().map(|accept| Entry {
        order_id: accept.order.id,
        seq: 1,
        kind: "state",
        from: None,
        to: Some(State::Created),
        actor: accept.actor.clone(),
        text: String::new(),
    });
    store::order::history::insert_many(tx, entries.collect(), now).await?;
    let sagas = good.iter().map(|accept| {
        let id = accept.order.id;
        Model::begun(id.uuid(), id, "order", "placing", accept.owner, now)
    });
    store::saga::insert_many(tx, sagas.collect()).await?;
    let payments: Vec<Payment> = good.iter().filter_map(|accept| accept.payment.clone()).collect();
    store::payment::insert_many(tx, &payments).await?;
    let events = good.iter().map(|a| event::placed(&a.order, &a.actor, &a.trace));
    app.outbox.append(tx, events.collect()).await?;
    Ok(())
}
