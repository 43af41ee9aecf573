//! Group commit: what comes while one transaction is being committed shares the next one.
//!
//! A flush to disk costs the same for one order as for twenty. Nothing waits for company: an item
//! that comes while nothing runs starts at once, alone.
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

/// Work that takes many items at once and answers each, in the same order.
type Work<I, O> = dyn Fn(Vec<I>) -> BoxFuture<'static, Vec<O>> + Send + Sync;

/// Gathers items into batches; one batch runs at a time. Cheap to clone.
pub struct Group<I, O> {
    inner: Arc<Inner<I, O>>,
}

struct Inner<I, O> {
    most: usize,
    work: Box<Work<I, O>>,
    waiting: Mutex<Waiting<I, O>>,
}

struct Waiting<I, O> {
    items: VecDeque<(I, oneshot::Sender<O>)>,
    running: bool,
}

/// The work ended without an answer: it panicked, or the process stops.
#[derive(Debug, thiserror::Error)]
#[error("the work was abandoned")]
pub struct Abandoned;

impl<I, O> Clone for Group<I, O> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<I: Send + 'static, O: Send + 'static> Group<I, O> {
    /// `work` gets 1 to `most` items, opens one transaction for them and answers after the commit.
    /// It runs in a task of its own: a caller that goes away does not stop it.
    pub fn new(
        most: usize,
        work: impl Fn(Vec<I>) -> BoxFuture<'static, Vec<O>> + Send + Sync + 'static,
    ) -> Self {
        let waiting = Mutex::new(Waiting { items: VecDeque::new(), running: false });
        Self { inner: Arc::new(Inner { most: most.max(1), work: Box::new(work), waiting }) }
    }

    /// Hands in an item and waits for its answer.
    pub async fn submit(&self, item: I) -> Result<O, Abandoned> {
        let (sender, answer) = oneshot::channel();
        let start = {
            let mut waiting = self.inner.lock();
            waiting.items.push_back((item, sender));
            !std::mem::replace(&mut waiting.running, true)
        };
        if start {
            let inner = self.inner.clone();
            tokio::spawn(async move { inner.run().await });
        }
        answer.await.map_err(|_| Abandoned)
    }
}

impl<I: Send + 'static, O: Send + 'static> Inner<I, O> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting<I, O>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch; `None`: nothing waits, and whoever comes next starts anew.
    fn next(&self) -> Option<Vec<(I, oneshot::Sender<O>)>> {
        let mut waiting = self.lock();
        let some = waiting.items.len().min(self.most);
        if some == 0 {
            waiting.running = false;
            return None;
        }
        Some(waiting.items.drain(..some).collect())
    }

    async fn run(&self) {
        while let Some(batch) = self.next() {
            let (items, senders): (Vec<I>, Vec<oneshot::Sender<O>>) = batch.into_iter().unzip();
            // one that panics must not leave all who come later waiting
            let Ok(answers) = AssertUnwindSafe((self.work)(items)).catch_unwind().await else {
                continue;
            };
            for (sender, answer) in senders.into_iter().zip(answers) {
                // a caller that went away wants no answer
                let _ = sender.send(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn items_that_come_during_a_batch_share_the_next_one() {
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = batches.clone();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let open = gate.clone();
        let group = Group::new(100, move |items: Vec<u32>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                items.into_iter().map(|i| i * 2).collect()
            }
            .boxed()
        });
        let first = tokio::spawn({
            let group = group.clone();
            async move { group.submit(1).await.unwrap() }
        });
        while batches.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let others = futures::future::join_all((2..50).map(|i| group.submit(i)));
        let others = async { futures::join!(others, async { open.add_permits(2) }).0 };
        let others = others.await;
        assert_eq!(first.await.unwrap(), 2);
        let answers: Vec<u32> = others.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (2..50).map(|i| i * 2).collect::<Vec<_>>());
        assert_eq!(batches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_batch_that_panics_abandons_its_items_and_no_others() {
        let group = Group::new(1, |items: Vec<u32>| {
            async move {
                assert_ne!(items, [13]);
                items
            }
            .boxed()
        });
        assert!(group.submit(13).await.is_err());
        assert_eq!(group.submit(14).await.unwrap(), 14);
    }
}
