//! A shop in this process whose clock is ours: it goes on by itself, stands still and leaps as told.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use souk_service::{Blueprint, blueprint};
use souk_testkit::{Backend, Shop};
use souk_values::Clock;
use tokio::task::JoinHandle;

pub(crate) struct Stage {
    pub(crate) shop: Shop,
    clock: Clock,
    still: Arc<AtomicBool>,
    ticking: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

/// What stands for SQLite and for servers in a title.
pub(crate) fn place(backend: Backend) -> &'static str {
    match backend {
        Backend::Default => "SQLite, moved clock",
        Backend::Servers => "PostgreSQL and RabbitMQ, moved clock",
    }
}

impl Stage {
    pub(crate) async fn open(backend: Backend, settings: &[(&str, &str)]) -> Self {
        let clock = Clock::fixed(Clock::system().now());
        let still = Arc::new(AtomicBool::new(false));
        let ticking = tokio::spawn(tick(clock.clone(), still.clone()));
        let mut plan = Shop::plan(backend, services()).clock(&clock);
        for (name, value) in settings {
            plan = plan.set(name, value);
        }
        Self { shop: plan.open().await, clock, still, ticking }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// From now on no time passes by itself.
    pub(crate) fn stands_still(&self) {
        self.still.store(true, Ordering::SeqCst);
    }

    pub(crate) fn goes_on(&self) {
        self.still.store(false, Ordering::SeqCst);
    }

    /// Stands still so long after that moment, which must not be over.
    pub(crate) fn leaps_to(&self, since: DateTime<Utc>, after: TimeDelta) {
        self.stands_still();
        let left = since + after - self.now();
        assert!(left >= TimeDelta::zero(), "{after} after {since} is over");
        self.clock.advance(left);
    }

    pub(crate) async fn close(mut self) {
        self.goes_on();
        let shop = std::mem::replace(&mut self.shop, Shop::at("", "", ""));
        assert!(shop.close().await, "the shop did not stop in time");
    }
}

/// Passes as much time as passes outside, unless it stands still.
async fn tick(clock: Clock, still: Arc<AtomicBool>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = Instant::now();
        if !still.load(Ordering::SeqCst) {
            clock.advance(TimeDelta::from_std(now - last).unwrap_or_default());
        }
        last = now;
    }
}

/// All services, as `souk serve` has them.
fn services() -> Vec<Blueprint> {
    vec![
        blueprint::<souk_accounts::Accounts>(),
        blueprint::<souk_catalog::Catalog>(),
        blueprint::<souk_analytics::Analytics>(),
        blueprint::<souk_orders::Orders>(),
        blueprint::<souk_notifier::Notifier>(),
        blueprint::<souk_gateway::Gateway>(),
    ]
}
