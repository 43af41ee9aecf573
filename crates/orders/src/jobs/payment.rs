//! Webhooks that wait, and books that are compared.
use std::time::Duration;

use futures::FutureExt;
use souk_service::Task;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::app::payment::{hint, reconcile};

pub(super) fn tasks(app: &App) -> Vec<(&'static str, Task)> {
    let (webhooks, books) = (app.clone(), app.clone());
    vec![
        ("payment_webhooks", Box::new(move |stop| hint::run(webhooks, stop).boxed())),
        ("reconcile_payments", Box::new(move |stop| reconcile_all(books, stop).boxed())),
    ]
}

/// At the start, and again and again.
async fn reconcile_all(app: App, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(app.config.payments.reconcile_s));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            done = reconcile::run(&app) => {
                if let Err(error) = done {
                    tracing::warn!(%error, "the books of payments were not compared");
                }
            }
        }
    }
}
