//! So many at a time of one kind in this process: guesses sent together must not all be heard before
//! the first failure is counted.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::hashers::PATIENCE;
use crate::Error;

/// Subjects share this many queues; which ones share is different in every process.
const QUEUES: usize = 256;

pub(crate) struct Turns {
    queues: Vec<Semaphore>,
    hasher: RandomState,
}

impl Turns {
    pub(crate) fn new(at_once: usize) -> Self {
        let queues = (0..QUEUES).map(|_| Semaphore::new(at_once)).collect();
        Self { queues, hasher: RandomState::new() }
    }

    /// Waits until few enough others try `subject`.
    pub(crate) async fn wait(&self, subject: &str) -> Result<SemaphorePermit<'_>, Error> {
        let place = self.hasher.hash_one(subject) % QUEUES as u64;
        let queue = usize::try_from(place).ok().and_then(|place| self.queues.get(place));
        let queue = queue.ok_or(Error::Busy)?;
        let turn = timeout(PATIENCE, queue.acquire()).await;
        turn.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn whoever_is_one_too_many_waits_for_the_first() {
        for at_once in [1, 3] {
            let turns = Turns::new(at_once);
            let mut others = Vec::new();
            for _ in 0..at_once {
                others.push(turns.wait("usr_1").await.unwrap());
            }
            let mut late = Box::pin(turns.wait("usr_1"));
            assert!(late.as_mut().now_or_never().is_none());
            others.pop();
            assert!(late.await.is_ok());
        }
    }
}
