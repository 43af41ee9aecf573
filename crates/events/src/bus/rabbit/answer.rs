//! The right to answer for one delivery. What is to come again is first confirmed where it will
//! wait, and only then acknowledged: a crash in between doubles a message and never loses it.
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Acker, Channel};
use souk_values::Clock;
use tokio::runtime::Handle;

use super::message::{Death, Message};
use super::publisher::Letter;
use super::{Shared, away, away_for, topology};
use crate::bus::{Answer, BusError};

/// Longest wait of a retry queue.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Ticket {
    shared: Arc<Shared>,
    /// Keeps the channel open as long as there is something to answer.
    channel: Channel,
    acker: Acker,
    queue: String,
    message: Arc<Message>,
    attempt: u32,
    answered: bool,
}

impl Ticket {
    pub(super) fn new(
        shared: Arc<Shared>,
        channel: Channel,
        acker: Acker,
        queue: String,
        message: Arc<Message>,
        attempt: u32,
    ) -> Self {
        Self { shared, channel, acker, queue, message, attempt, answered: false }
    }

    /// Back to a retry queue for the rest of its time; it was not tried.
    pub(super) async fn wait_on(mut self, left: Duration) -> Result<(), BusError> {
        self.wait(left, self.attempt.saturating_sub(1)).await
    }

    /// Writes the broker's notes of a death into the message itself: they would not survive its
    /// being put back.
    pub(super) fn keep(mut self, death: &Death) -> Self {
        self.message = Arc::new(self.message.parked(death));
        self
    }

    async fn wait(&mut self, after: Duration, attempts: u32) -> Result<(), BusError> {
        let key = topology::retry_queue(&self.shared.names, &self.queue, after);
        let key = key.unwrap_or_else(|| self.shared.names.of(&self.queue));
        let not_before_us = (after > LONGEST).then(|| {
            let after_us = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
            Clock::system().now_us().saturating_add(after_us)
        });
        let message = self.message.again(attempts, not_before_us);
        self.replace(key, message).await
    }

    async fn replace(&mut self, key: String, message: Message) -> Result<(), BusError> {
        let letter = Letter { exchange: String::new(), key, message };
        // On an error the ticket is dropped unanswered, and the broker keeps the message.
        self.shared.publisher.send(letter).await?;
        self.acknowledge()
    }

    /// On its way, not written yet: no acknowledgement tells more. One that is lost brings the
    /// message again.
    fn acknowledge(&mut self) -> Result<(), BusError> {
        self.answered = true;
        match self.acker.ack(BasicAckOptions::default()).now_or_never() {
            Some(Ok(false)) => Err(away_for("the connection of the delivery is gone")),
            Some(Err(error)) => Err(away(error)),
            Some(Ok(true)) | None => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Answer for Ticket {
    async fn ack(mut self: Box<Self>) -> Result<(), BusError> {
        self.acknowledge()
    }

    async fn retry(mut self: Box<Self>, after: Duration) -> Result<(), BusError> {
        let attempts = self.attempt;
        self.wait(after, attempts).await
    }

    async fn park(mut self: Box<Self>, reason: &str) -> Result<(), BusError> {
        let key = self.shared.names.dead(self.queue.trim_end_matches(".dlq"));
        let message = self.message.parked(&Death::now(reason, self.attempt));
        self.replace(key, message).await
    }

    /// Published anew rather than returned: a return counts towards the broker's delivery limit.
    async fn release(mut self: Box<Self>) -> Result<(), BusError> {
        let key = self.shared.names.of(&self.queue);
        let message = self.message.again(self.attempt.saturating_sub(1), None);
        self.replace(key, message).await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered
            && self.acker.usable()
            && let Ok(runtime) = Handle::try_current()
        {
            let (acker, channel) = (self.acker.clone(), self.channel.clone());
            runtime.spawn(async move {
                // Otherwise the broker returns it when the channel closes.
                let options = BasicNackOptions { requeue: true, ..Default::default() };
                let _ = acker.nack(options).await;
                drop(channel);
            });
        }
    }
}
