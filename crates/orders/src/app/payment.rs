//! Facts about payments, and the one funnel that all of them go through.
pub(crate) mod card;
pub(crate) mod hint;
pub(crate) mod reconcile;
mod second_step;

use std::collections::BTreeMap;

use souk_storage::Tx;
use souk_values::OrderId;

pub(crate) use second_step::complete;

use crate::app::App;
use crate::domain::payment::{Action, Difference, ProviderPayment, Verdict};
use crate::error::Error;
use crate::store;

/// Joins a fact with our books, whoever told it: answer, webhook or reconciler. Holds the row of
/// the payment until the transaction ends; wake the order's saga after the commit. With `Differs`
/// nothing was believed, and an open difference was noted.
pub(crate) async fn apply(
    app: &App,
    tx: &Tx,
    order_id: OrderId,
    fact: &ProviderPayment,
) -> Result<Verdict, Error> {
    let found = store::payment::find_for_update(tx, order_id).await?;
    let mut payment = found.ok_or(Error::NotFound("payment"))?;
    let now = app.clock.now();
    if let Some((kind, detail)) = payment.difference(fact) {
        tracing::error!(%order_id, kind = kind.as_str(), "a payment differs from its order");
        let difference = Difference::new(kind, fact, detail, Action::Alarm, now);
        let difference = Difference { order_id: order_id.to_string(), ..difference };
        store::payment::put(tx, &difference).await?;
    }
    let verdict = payment.take(fact, now);
    if verdict == Verdict::News {
        store::payment::update(tx, &payment).await?;
    }
    Ok(verdict)
}

/// A fact that nobody waits for: its own transaction, and the saga is told. False: it is about no
/// order of ours.
pub(crate) async fn learn(app: &App, fact: &ProviderPayment) -> Result<bool, Error> {
    let Ok(order_id) = fact.order_id.parse::<OrderId>() else { return Ok(false) };
    let known = store::payment::find(store::order::fresh(&app.db), order_id).await?;
    let Some(mut known) = known else { return Ok(false) };
    // most facts are no news, and need no writer
    if known.take(fact, app.clock.now()) == Verdict::Known {
        return Ok(true);
    }
    let tx = app.db.begin().await?;
    let verdict = apply(app, &tx, order_id, fact).await?;
    tx.commit().await?;
    match verdict {
        Verdict::News => app.sagas.wake(order_id),
        Verdict::Known => {}
        Verdict::Differs(_) => reconcile::count(app).await?,
    }
    Ok(true)
}

/// A webhook as it came. Kept once, answered, and worked on later; true: it came before.
pub(crate) async fn receive(
    app: &App,
    provider: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> Result<bool, Error> {
    if provider != app.provider.name() {
        return Err(Error::NotFound("payment provider"));
    }
    let now = app.clock.now();
    let hint = app.provider.read_webhook(headers, body, now).ok_or(Error::BadSignature)?;
    let fresh = store::payment::receive(&app.db, provider, &hint, now).await?;
    let known = if fresh { "no" } else { "yes" };
    metrics::counter!("souk_payment_webhooks_total", "known" => known).increment(1);
    if fresh {
        app.webhook_bell.notify_one();
    }
    Ok(!fresh)
}
