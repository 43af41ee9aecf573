//! A queue of this process alone, that the broker deletes when we go.
use std::time::Duration;

use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::{broadcast, oneshot};
use tracing::warn;

use super::address::Names;
use super::link::LinkView;
use super::message::Message;
use super::{away, away_for, topology};
use crate::bus::{BusError, Signal};

/// While the broker still holds the queue for a connection that is gone, it refuses it to the next.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Subscription {
    pub(super) link: LinkView,
    pub(super) names: Names,
    pub(super) name: String,
    pub(super) bindings: Vec<String>,
    pub(super) signals: broadcast::Sender<Signal>,
    /// Told once, when the queue is bound the first time.
    pub(super) bound: Option<oneshot::Sender<()>>,
}

impl Subscription {
    /// Until nobody listens or the bus is gone.
    pub(super) async fn run(mut self) {
        let (mut link, signals) = (self.link.clone(), self.signals.clone());
        tokio::select! {
            () = self.listen() => {}
            () = link.ended() => {}
            () = signals.closed() => {}
        }
    }

    async fn listen(&mut self) {
        loop {
            match self.open().await {
                Ok((_channel, mut consumer)) => {
                    // Whoever waited for the first binding has missed nothing; anybody later may
                    // have.
                    if self.bound.take().is_none_or(|bound| bound.send(()).is_err()) {
                        self.tell(Signal::Gap);
                    }
                    while let Some(Ok(delivery)) = consumer.next().await {
                        self.hear(delivery);
                    }
                }
                Err(error) => warn!(%error, "cannot subscribe"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn open(&mut self) -> Result<(Channel, Consumer), BusError> {
        let connection = self.link.connection().await;
        let connection = connection.ok_or_else(|| away_for("the bus has been closed"))?;
        let channel = connection.create_channel().await.map_err(away)?;
        // The exchange, in case this process is the first.
        topology::declare(&channel, &self.names, &[]).await.map_err(away)?;
        let queue = self.names.of(&self.name);
        let mine = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let declaring = channel.queue_declare(queue.as_str().into(), mine, FieldTable::default());
        declaring.await.map_err(away)?;
        for binding in &self.bindings {
            let exchange = self.names.events();
            topology::bind(&channel, &queue, &exchange, binding).await.map_err(away)?;
        }
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..Default::default() };
        let table = FieldTable::default();
        let consuming = channel.basic_consume(queue.as_str().into(), "".into(), options, table);
        let consumer = consuming.await.map_err(away)?;
        Ok((channel, consumer))
    }

    fn hear(&self, mut delivery: Delivery) {
        match Message::taken_from(&mut delivery).envelope() {
            Ok(event) => self.tell(Signal::Event(event)),
            Err(reason) => {
                warn!(reason, "undecodable message in subscription");
                self.tell(Signal::Gap);
            }
        }
    }

    fn tell(&self, signal: Signal) {
        // Fails only when the listener left this moment.
        let _ = self.signals.send(signal);
    }
}
