//! A consumer's end: claims as many messages as the prefetch allows and hands them out one by one.
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use souk_values::Clock;
use tokio::sync::{Semaphore, oneshot, watch};
use tracing::warn;

use super::command::{Claimed, Claims, Command, Found, Writer};

const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

struct Claimant {
    writer: Writer,
    queue: usize,
    wake: watch::Receiver<()>,
    prefetch: Arc<Semaphore>,
    claimed: VecDeque<Claimed>,
}

/// Messages of a queue as they become ready. At most `prefetch` of them are unanswered at a time.
pub(super) fn stream(writer: Writer, found: Found, prefetch: u16) -> BoxStream<'static, Claimed> {
    let claimant = Claimant {
        writer,
        queue: found.queue,
        wake: found.wake,
        prefetch: Arc::new(Semaphore::new(usize::from(prefetch.max(1)))),
        claimed: VecDeque::new(),
    };
    futures::stream::unfold(claimant, |mut claimant| async move {
        claimant.next().await.map(|claimed| (claimed, claimant))
    })
    .boxed()
}

impl Claimant {
    /// None when the writer is gone, which it is only with the process.
    async fn next(&mut self) -> Option<Claimed> {
        loop {
            if let Some(claimed) = self.claimed.pop_front() {
                return Some(claimed);
            }
            // Marked before asking: what arrives after the claim changes it again.
            self.wake.borrow_and_update();
            let next_due_us = match self.claim().await {
                Ok(next_due_us) => next_due_us,
                Err(error) => {
                    warn!(%error, "claim failed");
                    tokio::time::sleep(AFTER_A_FAILURE).await;
                    continue;
                }
            };
            if self.claimed.is_empty() {
                self.wait(next_due_us).await?;
            }
        }
    }

    async fn claim(&mut self) -> Result<Option<i64>, crate::BusError> {
        // Never closed.
        let Ok(one) = self.prefetch.acquire().await else { return Ok(None) };
        let most = self.prefetch.available_permits() + 1;
        drop(one);
        let (done, answer) = oneshot::channel();
        let command = Command::Claim { queue: self.queue, most, done };
        let Claims { rows, next_due_us } = super::ask(&self.writer, command, answer).await?;
        for mut claimed in rows {
            if let Ok(credit) = self.prefetch.clone().try_acquire_owned() {
                claimed.ticket.hold(credit);
            }
            self.claimed.push_back(claimed);
        }
        Ok(next_due_us)
    }

    async fn wait(&mut self, next_due_us: Option<i64>) -> Option<()> {
        let due = async {
            match next_due_us {
                Some(due_us) => {
                    let left_us = due_us.saturating_sub(Clock::system().now_us()).max(0);
                    tokio::time::sleep(Duration::from_micros(left_us.unsigned_abs())).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.wake.changed() => changed.ok(),
            () = due => Some(()),
        }
    }
}
