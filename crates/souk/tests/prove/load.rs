//! Load that writes down everything it did and was told: who changed what, who looked at what.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Outcome};
use crate::process::until;

/// Between two changes of one writer, and two looks of one reader.
const WRITES: Duration = Duration::from_millis(50);
const READS: Duration = Duration::from_millis(15);
const WRITERS: usize = 2;
const READERS: usize = 2;
/// Of each writer.
const PRODUCTS: usize = 2;

/// One try to change a price.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// The fault that was going on: an index into [`History::cells`].
    pub(crate) cell: usize,
    pub(crate) product: String,
    pub(crate) cents: i64,
    pub(crate) outcome: Outcome,
}

/// One look at a product.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) product: usize,
    pub(crate) outcome: Outcome,
    pub(crate) at: Instant,
}

/// A kind of fault and how often it came.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) kills: u32,
}

/// Everything that was tried.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) products: Vec<String>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) looks: Vec<Look>,
    /// When a process that holds views in its memory was killed.
    pub(crate) gateway_deaths: Vec<Instant>,
}

/// Load that goes on until told to stop.
pub(crate) struct Load {
    history: Arc<Mutex<History>>,
    cell: Arc<AtomicUsize>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Load {
    /// Makes its products and begins.
    pub(crate) async fn start(client: &Client) -> Self {
        let mut history = History::default();
        for number in 0..WRITERS * PRODUCTS {
            history.products.push(client.create(&format!("Lamp {number}")).await);
        }
        let products = history.products.clone();
        history.cells.push(Cell { name: "no fault".to_owned(), kills: 0 });
        let mut load = Self {
            history: Arc::new(Mutex::new(history)),
            cell: Arc::default(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        for own in products.chunks(PRODUCTS) {
            load.tasks.spawn(load.writer(client.clone(), own.to_vec()));
        }
        for _ in 0..READERS {
            load.tasks.spawn(load.reader(client.clone(), products.clone()));
        }
        let calm = load.done();
        load.progress(calm + 20).await;
        load
    }

    /// Each product has one writer, so that no two changes race.
    fn writer(&self, client: Client, own: Vec<String>) -> impl Future<Output = ()> + use<> {
        let (history, cell, stop) = (self.history.clone(), self.cell.clone(), self.stop.clone());
        async move {
            let mut pace = tokio::time::interval(WRITES);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            // no price comes twice, so that an event tells which try it belongs to
            for (cents, product) in (1_000..).zip(own.iter().cycle()) {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = pace.tick() => {}
                }
                let cell = cell.load(Ordering::SeqCst);
                let outcome = client.set_price(product, cents).await;
                let attempt = Attempt { cell, product: product.clone(), cents, outcome };
                history.lock().unwrap().attempts.push(attempt);
            }
        }
    }

    fn reader(&self, client: Client, all: Vec<String>) -> impl Future<Output = ()> + use<> {
        let (history, stop) = (self.history.clone(), self.stop.clone());
        async move {
            let mut pace = tokio::time::interval(READS);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            for (product, id) in all.iter().enumerate().cycle() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = pace.tick() => {}
                }
                let outcome = client.view(id).await;
                let look = Look { product, outcome, at: Instant::now() };
                history.lock().unwrap().looks.push(look);
            }
        }
    }

    pub(crate) fn products(&self) -> Vec<String> {
        self.history.lock().unwrap().products.clone()
    }

    /// From now on that fault.
    pub(crate) fn begin(&self, cell: &str) {
        let mut history = self.history.lock().unwrap();
        history.cells.push(Cell { name: cell.to_owned(), kills: 0 });
        self.cell.store(history.cells.len() - 1, Ordering::SeqCst);
    }

    /// The present fault has come once more.
    pub(crate) fn killed(&self) {
        let mut history = self.history.lock().unwrap();
        let cell = self.cell.load(Ordering::SeqCst);
        history.cells[cell].kills += 1;
    }

    pub(crate) fn gateway_died(&self, at: Instant) {
        self.history.lock().unwrap().gateway_deaths.push(at);
    }

    /// Changes that were acknowledged so far.
    pub(crate) fn done(&self) -> usize {
        let history = self.history.lock().unwrap();
        history.attempts.iter().filter(|a| matches!(a.outcome, Outcome::Done(_))).count()
    }

    /// Waits until so many were.
    pub(crate) async fn progress(&self, done: usize) {
        let enough = until(Duration::from_secs(90), async || self.done() >= done).await;
        if !enough {
            let history = self.history.lock().unwrap();
            let last: Vec<_> = history.attempts.iter().rev().take(5).collect();
            panic!("no changes get through any more; the last: {last:?}");
        }
    }

    /// Ends after the requests in flight; what was tried.
    pub(crate) async fn end(self) -> History {
        self.stop.cancel();
        self.tasks.join_all().await;
        std::mem::take(&mut *self.history.lock().unwrap())
    }
}
