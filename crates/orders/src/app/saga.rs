//! Orders on their way: who drives which, and what wakes them.
//!
//! An order goes through few commits of ours (accept, capture, confirm), each shared with other
//! orders; what lies between them is idempotent by its key and is simply done again by whoever
//! resumes it. ARCHITECTURE.md walks through one.
mod accept;
mod commit;
mod executor;
mod moves;
mod refund;
mod review;
mod run;
mod undo;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use souk_storage::Group;
use souk_values::OrderId;
use tokio::sync::{Notify, oneshot};
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use accept::Accept;
pub(crate) use executor::run as run_executor;
pub(crate) use undo::CODES as UNDO_CODES;

use self::commit::{Done, Item};
use self::run::Runner;
use crate::app::App;
use crate::app::order::Encode;
use crate::error::Error;
use crate::store;

/// Orders of one transaction.
const TOGETHER: usize = 64;

/// Drives the sagas of this process. Cheap to clone. The default drives nothing.
#[derive(Clone, Default)]
pub(crate) struct Sagas(Option<Arc<Inner>>);

struct Inner {
    /// This process, to others.
    owner: Uuid,
    group: Group<Item, Result<Done, Error>>,
    running: Mutex<HashMap<Uuid, Running>>,
    /// Orders about which something became known.
    woken: Mutex<HashSet<OrderId>>,
    wake: Notify,
}

struct Running {
    since: Instant,
    order_id: OrderId,
    /// Something became known meanwhile: look again.
    again: bool,
}

/// An order that was handed in.
pub(crate) struct Placing {
    /// Whether it was accepted.
    pub(crate) accepted: oneshot::Receiver<Result<(), Error>>,
    /// The answer, when it is known; `None`: somebody else knows it.
    pub(crate) answer: oneshot::Receiver<Option<Vec<u8>>>,
}

impl Sagas {
    /// `app` drives nothing itself: it is for the commits.
    pub(crate) fn new(app: App, encode: Encode) -> Self {
        let group = Group::new(TOGETHER, move |items| {
            Box::pin(commit::together(app.clone(), encode, items))
        });
        Self(Some(Arc::new(Inner {
            owner: Uuid::now_v7(),
            group,
            running: Mutex::default(),
            woken: Mutex::default(),
            wake: Notify::new(),
        })))
    }

    fn inner(&self) -> Result<&Arc<Inner>, Error> {
        self.0.as_ref().ok_or_else(|| Error::Broken("nobody drives sagas here".to_owned()))
    }

    pub(crate) fn owner(&self) -> Uuid {
        self.0.as_ref().map_or(Uuid::nil(), |inner| inner.owner)
    }

    /// Something became known about an order: whoever waits for it looks again. To be called after
    /// the commit.
    pub(crate) fn wake(&self, order_id: OrderId) {
        let Some(inner) = &self.0 else { return };
        lock(&inner.woken).insert(order_id);
        inner.wake.notify_one();
    }

    /// Accepts an order and drives it. Its task is its own: a client that goes away stops nothing.
    pub(crate) fn start(&self, app: App, accept: Accept) -> Placing {
        let (tell, accepted) = oneshot::channel();
        let (answer_to, answer) = oneshot::channel();
        let task = async move {
            let keyed = accept.claim.is_some();
            let order = accept.order.clone();
            let payment = accept.payment.clone();
            let trace = accept.trace.clone();
            let begun = app.sagas.commit(Item::Accept(Box::new(accept))).await;
            match begun {
                Ok(Done::Accepted(hold)) => {
                    let _ = tell.send(Ok(()));
                    let runner = Runner::fresh(app, order, payment, hold, keyed, trace);
                    let _ = answer_to.send(runner.drive_registered().await);
                }
                Ok(_) => drop(tell.send(Err(Error::Broken("not an acceptance".to_owned())))),
                Err(error) => drop(tell.send(Err(error))),
            }
        };
        tokio::spawn(task.in_current_span());
        Placing { accepted, answer }
    }

    async fn commit(&self, item: Item) -> Result<Done, Error> {
        let answer = self.inner()?.group.submit(item).await;
        answer.map_err(|e| Error::Broken(e.to_string()))?
    }

    /// Enters a saga as driven by this process; false: it is already.
    fn enter(&self, id: Uuid, order_id: OrderId) -> bool {
        let Some(inner) = &self.0 else { return false };
        let mut running = lock(&inner.running);
        if running.contains_key(&id) {
            return false;
        }
        running.insert(id, Running { since: Instant::now(), order_id, again: false });
        true
    }

    fn leave(&self, id: Uuid) {
        let Some(inner) = &self.0 else { return };
        let left = lock(&inner.running).remove(&id);
        if let Some(left) = left.filter(|left| left.again) {
            self.wake(left.order_id);
        }
    }

    /// Drives a saga that was written by a transaction of its own, in a task of its own.
    pub(crate) fn drive(&self, app: App, saga: store::saga::Model) {
        tokio::spawn(async move { executor::drive(app, saga).await }.in_current_span());
    }

    /// Those that this process has driven for longer than `age`.
    fn driven(&self, age: Duration) -> Vec<Uuid> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let running = lock(&inner.running);
        let old = running.iter().filter(|(_, running)| running.since.elapsed() >= age);
        old.map(|(id, _)| *id).collect()
    }

    fn count_driven(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| lock(&inner.running).len())
    }

    /// Takes the orders that were woken; those that are being driven look again when they end.
    fn take_woken(&self) -> Vec<OrderId> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let woken = std::mem::take(&mut *lock(&inner.woken));
        let mut running = lock(&inner.running);
        let mut free = Vec::new();
        for order_id in woken {
            let driven = running.values_mut().find(|running| running.order_id == order_id);
            match driven {
                Some(running) => running.again = true,
                None => free.push(order_id),
            }
        }
        free
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
