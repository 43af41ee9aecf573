//! Webhooks after their answer: what they hint at is asked for, and goes through the funnel. And
//! the sender of the test provider's webhooks.
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clients::payment::TestProvider;
use crate::error::Error;
use crate::store;

/// Rounds go on without a ring: rows of a process that died are nobody's.
const TICK: Duration = Duration::from_secs(1);
const AT_ONCE: u64 = 50;
/// Questions to the provider at the same time.
const PARALLEL: usize = 4;

/// Works until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.webhook_bell.notified() => {}
            () = rung(app.test_provider.as_ref()) => {}
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            done = round(&app) => {
                if let Err(error) = done {
                    tracing::warn!(%error, "webhooks wait");
                }
            }
        }
    }
}

async fn rung(test: Option<&TestProvider>) {
    match test {
        Some(test) => test.rung().await,
        None => std::future::pending().await,
    }
}

/// Sends what is to be sent and works on what came, until nothing is due.
async fn round(app: &App) -> Result<(), Error> {
    loop {
        let sent = match &app.test_provider {
            Some(test) => send(app, test).await?,
            None => 0,
        };
        let worked = work(app).await?;
        if sent == 0 && worked == 0 {
            return Ok(());
        }
    }
}

/// Delivers webhooks of the test provider as if they came from outside.
async fn send(app: &App, test: &TestProvider) -> Result<usize, Error> {
    let due = test.due(AT_ONCE).await?;
    let count = due.len();
    let mut arrived = Vec::with_capacity(count);
    for webhook in due {
        let received = match test.letter(&webhook) {
            Ok((headers, body)) => super::receive(app, "test", &headers, &body).await,
            Err(error) => Err(Error::Broken(error.to_string())),
        };
        match received {
            Ok(_) => arrived.push(webhook.event_id),
            Err(error) => {
                tracing::warn!(%error, "a webhook did not arrive");
                let again_at = app.clock.now() + pause(webhook.attempts);
                test.postpone(&webhook, again_at).await?;
            }
        }
    }
    if !arrived.is_empty() {
        test.arrived(arrived).await?;
    }
    Ok(count)
}

async fn work(app: &App) -> Result<usize, Error> {
    let due = store::payment::unfinished(&app.db, app.clock.now(), AT_ONCE).await?;
    let count = due.len();
    let all = due.into_iter().map(|row| async move {
        let again_at = match follow(app, &row.reference).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "a webhook waits");
                Some(app.clock.now() + pause(row.attempts))
            }
        };
        store::payment::mark_done(&app.db, &row, again_at).await
    });
    let mut all = futures::stream::iter(all).buffer_unordered(PARALLEL);
    while let Some(marked) = all.next().await {
        marked?;
    }
    Ok(count)
}

/// The body was a hint, the provider's books are the truth.
async fn follow(app: &App, reference: &str) -> Result<(), Error> {
    let found = app.provider.find(reference).await;
    let Some(fact) = found.map_err(|_| Error::ProviderAway)? else { return Ok(()) };
    super::learn(app, &fact).await.map(|_| ())
}

/// 1 s, 2 s, 4 s … 5 min.
fn pause(attempts: i32) -> TimeDelta {
    let doublings = attempts.clamp(0, 9).unsigned_abs();
    TimeDelta::seconds((1_i64 << doublings).min(300))
}
