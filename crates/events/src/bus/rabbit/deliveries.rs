//! Messages of one queue, whatever happens to the connection.
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use souk_values::Clock;
use tokio::runtime::Handle;
use tracing::warn;

use super::answer::Ticket;
use super::message::{self, Message};
use super::{Shared, away, away_for};
use crate::bus::{Answer, BusError};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// Less than this before its time, a message is handled.
const EARLY_US: i64 = 100_000;

/// A delivery with the right to answer it.
pub(super) struct Received {
    pub(super) message: Arc<Message>,
    pub(super) attempt: u32,
    pub(super) ticket: Ticket,
}

pub(super) struct Deliveries {
    shared: Arc<Shared>,
    /// Without the prefix.
    queue: String,
    prefetch: u16,
    session: Option<Session>,
}

impl Deliveries {
    pub(super) fn new(shared: Arc<Shared>, queue: String, prefetch: u16) -> Self {
        Self { shared, queue, prefetch: prefetch.max(1), session: None }
    }

    pub(super) async fn next(&mut self) -> Received {
        let mut delay = FIRST_DELAY;
        loop {
            let Some(session) = &mut self.session else {
                match self.open().await {
                    Ok(session) => {
                        (self.session, delay) = (Some(session), FIRST_DELAY);
                    }
                    Err(error) => {
                        warn!(%error, bus.queue = self.queue, "cannot consume");
                        tokio::time::sleep(delay.mul_f64(rand::random_range(0.5..1.0))).await;
                        delay = (delay * 2).min(LONGEST_DELAY);
                    }
                }
                continue;
            };
            match session.0.consumer.next().await {
                Some(Ok(delivery)) => {
                    let received = session.0.receive(delivery);
                    if let Some(received) = wait_on(received).await {
                        return received;
                    }
                }
                // Canceled (the queue was deleted) or the channel is gone: begin anew.
                Some(Err(_)) | None => self.session = None,
            }
        }
    }

    async fn open(&self) -> Result<Session, BusError> {
        let connection = self.shared.consume_link.view().connection().await;
        let connection = connection.ok_or_else(|| away_for("the bus has been closed"))?;
        self.shared.declared.declare(&connection, Some(&self.queue)).await?;
        let channel = connection.create_channel().await.map_err(away)?;
        let qos = BasicQosOptions::default();
        channel.basic_qos(self.prefetch, qos).await.map_err(away)?;
        let name = ShortString::from(self.shared.names.of(&self.queue));
        let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
        let consuming = channel.basic_consume(name, "".into(), options, table);
        let consumer = consuming.await.map_err(away)?;
        let (shared, queue) = (self.shared.clone(), self.queue.clone());
        Ok(Session(Source { shared, queue, channel, consumer }))
    }
}

/// Sends a message that came before its time to wait again.
async fn wait_on(received: Received) -> Option<Received> {
    let not_before_us = message::not_before_us(&received.message.properties);
    let left_us = not_before_us.unwrap_or(0) - Clock::system().now_us();
    if left_us <= EARLY_US {
        return Some(received);
    }
    let left = Duration::from_micros(left_us.unsigned_abs());
    if let Err(error) = received.ticket.wait_on(left).await {
        warn!(%error, "message not put back to wait");
    }
    None
}

/// A consumer on its own channel.
#[derive(Clone)]
struct Source {
    shared: Arc<Shared>,
    queue: String,
    channel: Channel,
    consumer: Consumer,
}

impl Source {
    fn receive(&self, mut delivery: Delivery) -> Received {
        let message = Arc::new(Message::taken_from(&mut delivery));
        let attempt = message::attempt(&message.properties);
        let ticket = Ticket::new(
            self.shared.clone(),
            self.channel.clone(),
            delivery.acker,
            self.queue.clone(),
            message.clone(),
            attempt,
        );
        Received { message, attempt, ticket }
    }

    /// What was fetched and not begun goes back without counting as an attempt.
    async fn give_back(mut self) {
        let mut fetched = self.fetched();
        let tag = self.consumer.tag();
        if self.channel.basic_cancel(tag, BasicCancelOptions::default()).await.is_ok() {
            fetched.extend(self.fetched());
        }
        for received in fetched {
            // Otherwise the broker returns it itself, when the channel closes.
            let _ = Box::new(received.ticket).release().await;
        }
    }

    fn fetched(&mut self) -> Vec<Received> {
        let mut fetched = Vec::new();
        while let Some(Some(Ok(delivery))) = self.consumer.next().now_or_never() {
            fetched.push(self.receive(delivery));
        }
        fetched
    }
}

/// Dropping it stops consuming. The channel stays open until the last delivery in hand is answered.
struct Session(Source);

impl Drop for Session {
    fn drop(&mut self) {
        if let Ok(runtime) = Handle::try_current()
            && self.0.channel.status().connected()
        {
            runtime.spawn(self.0.clone().give_back());
        }
    }
}
