//! One attempt at a time for each account in this process: guesses sent together must not all be
//! heard before the first failure is counted.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::password::PATIENCE;
use crate::Error;

/// Accounts share this many queues; which ones share is different in every process.
const QUEUES: usize = 256;

pub(crate) struct Turns {
    queues: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        let queues = (0..QUEUES).map(|_| Mutex::default()).collect();
        Self { queues, hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits until nobody else tries `subject`.
    pub(crate) async fn wait(&self, subject: &str) -> Result<MutexGuard<'_, ()>, Error> {
        let place = self.hasher.hash_one(subject) % QUEUES as u64;
        let queue = usize::try_from(place).ok().and_then(|place| self.queues.get(place));
        let queue = queue.ok_or(Error::Busy)?;
        timeout(PATIENCE, queue.lock()).await.map_err(|_| Error::Busy)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_second_attempt_waits_for_the_first() {
        let turns = Turns::default();
        let first = turns.wait("usr_1").await.unwrap();
        let mut second = Box::pin(turns.wait("usr_1"));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.await.is_ok());
    }
}
