//! Where the walk takes place: a shop as a process of its own, with somebody listening at every
//! place at which something leaves it.
use std::sync::Arc;

use souk_testkit::{Backend, Client, Process, ProcessPlan, Storehouse};

use super::bus::Bus;
use super::cache::Monitor;
use super::collector::Collector;
use super::letters::{self, Letter};
use super::marks::Place;
use super::places;

pub(super) struct Stage {
    pub(super) store: Arc<Storehouse>,
    pub(super) plan: ProcessPlan,
    pub(super) collector: Collector,
    pub(super) bus: Bus,
    pub(super) cache: Option<Monitor>,
}

impl Stage {
    pub(super) async fn new(backend: Backend) -> Self {
        let mut store = Storehouse::new(backend).await;
        if backend == Backend::Servers {
            store = store.with_ses().await;
        }
        if let Some(ses) = store.ses() {
            ses.keep_requests();
        }
        let store = Arc::new(store);
        let (collector, url) = Collector::start().await;
        let cache = match store.setting("cache.url") {
            Some(url) => Some(Monitor::start(url).await),
            None => None,
        };
        let mut plan = Process::plan(env!("CARGO_BIN_EXE_souk"), &store)
            // what carries the traces would tell of itself without end
            .set("log.level", "trace,h2=info,hyper=info,hyper_util=info,tonic=info,tower=info")
            .set("log.format", "json")
            .set("log.otlp_endpoint", url)
            .set("accounts.personal_data.erasure_delay_s", 0)
            .set("accounts.personal_data.recheck_s", 1)
            .set("accounts.personal_data.second_look_s", 1)
            // every limit is counted, and none is reached
            .set("gateway.rate_limit.enabled", true)
            .set("gateway.rate_limit.per_second", 1_000_000)
            .set("gateway.rate_limit.burst", 10_000_000)
            .set("gateway.rate_limit.accounts_per_minute", 100_000)
            .set("gateway.rate_limit.logins_per_minute", 100_000);
        for route in ["login", "register", "forgot", "confirm", "search", "orders", "transfer"] {
            plan = plan.set(&format!("gateway.rate_limit.routes.{route}"), "100000/minute");
        }
        let bus = Bus::of(&store).await;
        Self { store, plan, collector, bus, cache }
    }

    pub(super) async fn open(&self) -> Process {
        let process = self.plan.open().await;
        self.bus.listen(&self.store.data_dir()).await;
        process
    }

    pub(super) fn letters(&self) -> Vec<Letter> {
        letters::all(&self.store)
    }

    /// Everything that is left behind when the shop is closed. What was heard on the way is told
    /// once.
    pub(super) async fn places(&self) -> Vec<Place> {
        let mut places = places::tables(&self.store).await;
        places.extend(places::files(&self.store));
        places.extend(self.letters().into_iter().flat_map(Letter::places));
        places.extend(letters::requests(&self.store));
        places.extend(self.bus.places().await);
        places.push(Place { name: "log".to_owned(), bytes: self.plan.log().into_bytes() });
        places.push(Place { name: "traces".to_owned(), bytes: self.collector.exported() });
        if let Some(cache) = &self.cache {
            places.push(Place { name: "cache".to_owned(), bytes: cache.heard() });
        }
        places
    }
}

/// What the operator's port tells of all services of the process.
pub(super) async fn metrics(anonymous: &Client, operator: &str) -> Place {
    let answer = anonymous.at(&format!("http://{operator}")).get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Place { name: "metrics".to_owned(), bytes: answer.body }
}
