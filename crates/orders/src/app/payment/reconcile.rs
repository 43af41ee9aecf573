//! The provider's books beside ours: what differs is repaired or told.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;
use souk_values::OrderId;

use super::learn;
use crate::app::App;
use crate::domain::order::State as OrderState;
use crate::domain::payment::{
    Action, Difference, Kind, Payment, ProviderError, ProviderPayment, State, Verdict,
};
use crate::error::Error;
use crate::store;

/// How far back both books are read.
const WINDOW: TimeDelta = TimeDelta::hours(72);
/// Old facts of the inbox and keys of the test provider are forgotten.
const KEPT: TimeDelta = TimeDelta::days(30);
const PAGE: u64 = 500;

/// Whom a look is about: an order as the provider writes it, and a payment there.
type Subject = (String, String);

/// Compares the books once.
pub(crate) async fn run(app: &App) -> Result<(), Error> {
    let open: Vec<Difference> = store::payment::differences(&app.db, true).await?;
    let subjects = subjects(app, &open).await?;
    let mut found = BTreeMap::new();
    for (order_id, reference) in subjects {
        if let Some(difference) = look(app, &order_id, &reference).await? {
            found.insert((difference.kind, order_id, reference), difference);
        }
    }
    let tx = app.db.begin().await?;
    for difference in found.values() {
        tracing::error!(
            order_id = difference.order_id,
            kind = difference.kind.as_str(),
            action = difference.action.as_str(),
            "the books differ"
        );
        store::payment::put(&tx, difference).await?;
    }
    for old in &open {
        let key = (old.kind, old.order_id.clone(), old.reference.clone());
        if !found.contains_key(&key) {
            store::payment::close(&tx, old).await?;
        }
    }
    tx.commit().await?;
    let before = app.clock.now() - KEPT;
    store::payment::forget(&app.db, before).await?;
    if let Some(test) = &app.test_provider {
        test.forget_keys(before).await?;
    }
    count(app).await
}

/// Tells how many differences are open.
pub(crate) async fn count(app: &App) -> Result<(), Error> {
    let open = store::payment::count_open(&app.db).await?;
    let open = u32::try_from(open).unwrap_or(u32::MAX);
    metrics::gauge!("souk_payment_differences").set(f64::from(open));
    Ok(())
}

/// Whatever may differ, by a first look at lists that may be a moment old.
async fn subjects(app: &App, open: &[Difference]) -> Result<BTreeSet<Subject>, Error> {
    let since = app.clock.now() - WINDOW;
    let mut suspects = BTreeSet::new();
    for old in open {
        suspects.insert((old.order_id.clone(), old.reference.clone()));
    }
    let mut listed: BTreeSet<Subject> = BTreeSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = app.provider.list(since, cursor.as_deref()).await.map_err(away)?;
        let Some(last) = page.last() else { break };
        cursor = Some(last.reference.clone());
        let orders = page.iter().filter_map(|fact| fact.order_id.parse().ok());
        let orders: Vec<OrderId> = orders.collect();
        let states = store::payment::order_states(&app.db, orders.iter().copied()).await?;
        let ours = store::payment::find_many(store::order::fresh(&app.db), orders).await?;
        let ours: HashMap<OrderId, Payment> = ours.into_iter().map(|p| (p.order_id, p)).collect();
        for fact in page {
            let Ok(order_id) = fact.order_id.parse::<OrderId>() else { continue };
            let subject = (fact.order_id.clone(), fact.reference.clone());
            let mut own = ours.get(&order_id).cloned();
            let known = own.as_mut().map(|own| own.take(&fact, since));
            let odd = judge(states.get(&order_id).copied(), &fact).is_some();
            if odd || known != Some(Verdict::Known) {
                suspects.insert(subject.clone());
            }
            listed.insert(subject);
        }
    }
    let mut after = None;
    loop {
        let db = store::order::fresh(&app.db);
        let page = store::payment::since(db, since, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.order_id);
        let orders = page.iter().map(|payment| payment.order_id);
        let states = store::payment::order_states(&app.db, orders).await?;
        for payment in page {
            let owed = states.get(&payment.order_id).is_some_and(|state| is_owed(*state));
            let subject = (payment.order_id.to_string(), payment.reference.clone());
            if owed && !listed.contains(&subject) {
                suspects.insert(subject);
            }
        }
    }
    Ok(suspects)
}

/// A fresh look at one payment: both sides as they are now.
async fn look(app: &App, order: &str, reference: &str) -> Result<Option<Difference>, Error> {
    let fact = match reference {
        "" => None,
        _ => app.provider.find(reference).await.map_err(away)?,
    };
    let order_id: Option<OrderId> = order.parse().ok();
    let states = store::payment::order_states(&app.db, order_id).await?;
    let state = order_id.and_then(|id| states.get(&id).copied());
    let found_at = app.clock.now();
    let note = |kind, detail, action| Difference {
        kind,
        order_id: order.to_owned(),
        reference: reference.to_owned(),
        detail,
        action,
        found_at,
        open: action != Action::Repaired,
    };
    let Some(fact) = fact else {
        let detail = "the provider knows no such payment".to_owned();
        let owed = state.is_some_and(is_owed);
        return Ok(owed.then(|| note(Kind::ConfirmedWithoutCapture, detail, Action::Alarm)));
    };
    if let Some(id) = order_id
        && let Some(own) = store::payment::find(store::order::fresh(&app.db), id).await?
    {
        if let Some((kind, detail)) = own.difference(&fact) {
            return Ok(Some(note(kind, detail, Action::Alarm)));
        }
        learn(app, &fact).await?;
    }
    let Some(kind) = judge(state, &fact) else { return Ok(None) };
    let told = format!("{} of {}", fact.state.as_str(), fact.amount);
    Ok(Some(match (kind, state) {
        (Kind::OpenAuthorisation, Some(_)) => match void(app, &fact).await {
            Ok(()) => note(kind, "voided".to_owned(), Action::Repaired),
            Err(error) => note(kind, error.to_string(), Action::Alarm),
        },
        // it may belong to another shop on the same account
        (Kind::OpenAuthorisation, None) => {
            note(kind, format!("{told}, there is no such order"), Action::Alarm)
        }
        (Kind::CapturedWithoutOrder, Some(state)) => {
            let detail = format!("{told}, the order is {}", state.as_str());
            note(kind, detail, Action::ProposedRefund)
        }
        (Kind::CapturedWithoutOrder, None) => {
            note(kind, format!("{told}, there is no such order"), Action::ProposedRefund)
        }
        (kind, _) => note(kind, told, Action::Alarm),
    }))
}

/// What is wrong with a payment of an order in this state. Orders that are still worked on are
/// their saga's business.
fn judge(order: Option<OrderState>, fact: &ProviderPayment) -> Option<Kind> {
    let held = fact.captured > fact.refunded;
    let waits = matches!(fact.state, State::Authorised | State::RequiresAction);
    match order {
        Some(state) if is_owed(state) => {
            (fact.state != State::Captured).then_some(Kind::ConfirmedWithoutCapture)
        }
        Some(state) if !has_ended(state) => None,
        _ if held => Some(Kind::CapturedWithoutOrder),
        _ if waits => Some(Kind::OpenAuthorisation),
        _ => None,
    }
}

/// Goods are owed or were given: the money must have been taken.
fn is_owed(state: OrderState) -> bool {
    matches!(state, OrderState::Confirmed | OrderState::Shipped | OrderState::Delivered)
}

/// No money may be held.
fn has_ended(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Refunded
            | OrderState::Rejected
            | OrderState::PaymentFailed
            | OrderState::Cancelled
            | OrderState::Expired
    )
}

/// Gives an authorisation back that nobody needs.
async fn void(app: &App, fact: &ProviderPayment) -> Result<(), ProviderError> {
    let key = format!("order:{}:void", fact.order_id);
    let after = app.provider.void(&fact.reference, &key).await?;
    // what the books do not take in now, they do the next time
    if let Err(error) = learn(app, &after).await {
        tracing::warn!(%error, "a void was not noted");
    }
    Ok(())
}

fn away(error: ProviderError) -> Error {
    tracing::warn!(%error, "the provider's books cannot be read");
    Error::ProviderAway
}
