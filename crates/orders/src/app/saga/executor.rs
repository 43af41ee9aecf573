//! Whoever lives drives what others left: sagas whose time has come and that nobody holds.
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::refund;
use super::run::Runner;
use super::undo;
use crate::app::App;
use crate::app::order::Trace;
use crate::domain::order::Order;
use crate::error::Error;
use crate::store;
use crate::store::saga::{Hold, Model};

/// With a lease of 3 s, what was left is resumed within 4 s.
const TICK: Duration = Duration::from_millis(500);
/// A third of the lease.
const RENEW: Duration = Duration::from_secs(1);
const GAUGES: Duration = Duration::from_secs(5);
/// Driven by one process at once.
const AT_ONCE: usize = 256;
/// Sagas that were under way when the process was told to stop.
const FAREWELL: Duration = Duration::from_secs(4);

/// Runs until told to stop, then lets those under way finish for a moment: whoever comes next
/// resumes the others.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut renewed, mut counted) = (Instant::now(), None::<Instant>);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
            () = woken(&app) => {}
        }
        if renewed.elapsed() >= RENEW {
            renewed = Instant::now();
            report(renew(&app).await);
        }
        report(resume(&app).await);
        if counted.is_none_or(|at| at.elapsed() >= GAUGES) {
            counted = Some(Instant::now());
            report(gauges(&app).await);
        }
    }
    let until = Instant::now() + FAREWELL;
    while app.sagas.count_driven() > 0 && Instant::now() < until {
        report(renew(&app).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn woken(app: &App) {
    match &app.sagas.0 {
        Some(inner) => inner.wake.notified().await,
        None => std::future::pending().await,
    }
}

fn report(done: Result<(), Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "sagas not looked after");
    }
}

async fn renew(app: &App) -> Result<(), Error> {
    let ids = app.sagas.driven(RENEW / 2);
    if !ids.is_empty() {
        store::saga::renew(&app.db, ids, app.sagas.owner(), app.clock.now()).await?;
    }
    Ok(())
}

async fn resume(app: &App) -> Result<(), Error> {
    for order_id in app.sagas.take_woken() {
        for saga in store::saga::of_order(app.db.write(), order_id).await? {
            take(app, &saga).await?;
        }
    }
    let room = AT_ONCE.saturating_sub(app.sagas.count_driven());
    if room == 0 {
        return Ok(());
    }
    let db = store::order::fresh(&app.db);
    for saga in store::saga::due(db, app.clock.now(), room as u64).await? {
        take(app, &saga).await?;
    }
    Ok(())
}

async fn take(app: &App, saga: &Model) -> Result<(), Error> {
    let owner = app.sagas.owner();
    if let Some(saga) = store::saga::take(&app.db, saga, owner, app.clock.now()).await? {
        app.sagas.drive(app.clone(), saga);
    }
    Ok(())
}

/// Drives a saga that this process holds.
pub(super) async fn drive(app: App, saga: Model) {
    let span = tracing::info_span!("saga", order.id = %saga.order_id, kind = saga.kind);
    let (order_id, kind) = (saga.order_id, saga.kind.clone());
    let driven = async move {
        if saga.kind == "refund" {
            refund::drive(app, saga).await
        } else {
            match loaded(app, saga).await? {
                Some(runner) => drop(runner.drive_registered().await),
                None => tracing::error!("a saga without its order"),
            }
            Ok(())
        }
    };
    if let Err(error) = driven.instrument(span).await {
        // its lease ends by itself
        tracing::warn!(order.id = %order_id, kind, %error, "saga not driven");
    }
}

async fn loaded(app: App, saga: Model) -> Result<Option<Runner>, Error> {
    let db = app.db.write();
    let Some(order) = store::order::find(db, saga.order_id).await? else { return Ok(None) };
    let payment = store::payment::find(db, saga.order_id).await?;
    let key = store::answer::of_order(db, saga.order_id).await?;
    Ok(Some(runner(app, saga, order, payment, key)))
}

fn runner(
    app: App,
    saga: Model,
    order: Order,
    payment: Option<crate::domain::payment::Payment>,
    key: Option<store::answer::Model>,
) -> Runner {
    let recalled = undo::recalled(saga.undo.clone());
    let asked = recalled.as_ref().is_none_or(|(_, paid)| *paid);
    let mut trace = Trace::current();
    if let Some(key) = &key {
        trace.id.clone_from(&key.trace_id);
    }
    Runner {
        app,
        order,
        payment,
        hold: Hold { id: saga.id, version: saga.version },
        undo: recalled.map(|(undo, _)| undo),
        fresh: false,
        asked,
        keyed: key.is_some_and(|key| key.state == "running"),
        attempts: saga.attempts,
        progress_at: saga.progress_at,
        trace,
        fact: None,
    }
}

async fn gauges(app: &App) -> Result<(), Error> {
    let waiting = store::order::count_reviews(&app.db).await?;
    let oldest = store::saga::oldest(&app.db).await?;
    let age = oldest.map_or(0, |at| (app.clock.now() - at).num_milliseconds().max(0));
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    {
        metrics::gauge!("souk_orders_need_review").set(waiting as f64);
        metrics::gauge!("souk_saga_oldest_seconds").set(age as f64 / 1000.0);
    }
    Ok(())
}
