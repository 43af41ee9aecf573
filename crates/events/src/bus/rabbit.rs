//! The bus on RabbitMQ 3.10 or newer: one topic exchange, quorum queues, publisher confirmations.
//!
//! Two connections, one to publish and one to consume: a broker in distress stops reading from
//! those that publish, acknowledgements included.
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::sync::{broadcast, oneshot};
use tokio::time::timeout;

use super::{
    Bus, BusError, DeadMessage, Delivery, QueueSpec, Signal, UndecodableMessage, dead_letter_queue,
    signals,
};
use crate::Envelope;

use address::Names;
use declared::Declared;
use deliveries::{Deliveries, Received};
use link::Link;
use message::{Death, Message};
use publisher::{Letter, Publisher};
use subscription::Subscription;

mod address;
mod answer;
mod declared;
mod deliveries;
mod link;
mod message;
mod publisher;
mod subscription;
mod topology;

/// How long a caller waits for the first connection before it is told that the broker is away.
const CONNECTING: Duration = Duration::from_secs(3);
/// Declaring creates replicated queues, which takes a broker a while.
const DECLARING: Duration = Duration::from_secs(30);
const ASKING: Duration = Duration::from_secs(5);
const DEAD_PREFETCH: u16 = 64;

pub(super) struct RabbitBus(Arc<Shared>);

struct Shared {
    names: Names,
    declared: Arc<Declared>,
    publisher: Publisher,
    publish_link: Link,
    consume_link: Link,
}

impl RabbitBus {
    /// Connects in the background, and again for as long as it lives.
    pub(super) fn open(url: &str) -> Result<Self, BusError> {
        let (uri, names) = address::parse(url)?;
        let publish_link = Link::start(uri.clone(), "publish");
        let consume_link = Link::start(uri, "consume");
        let declared = Arc::new(Declared::new(names.clone()));
        let publisher = Publisher::new(publish_link.view(), declared.clone());
        Ok(Self(Arc::new(Shared { names, declared, publisher, publish_link, consume_link })))
    }

    fn deliveries(&self, queue: &str, prefetch: u16) -> BoxStream<'static, Received> {
        let deliveries = Deliveries::new(self.0.clone(), queue.to_owned(), prefetch);
        futures::stream::unfold(deliveries, |mut deliveries| async move {
            Some((deliveries.next().await, deliveries))
        })
        .boxed()
    }
}

#[async_trait::async_trait]
impl Bus for RabbitBus {
    /// While the broker is away it is enough to know the queues: they are declared before anything
    /// is published.
    async fn declare(&self, queues: &[QueueSpec]) -> Result<(), BusError> {
        self.0.declared.add(queues);
        let mut link = self.0.publish_link.view();
        let Ok(Some(connection)) = timeout(CONNECTING, link.connection()).await else {
            return Ok(());
        };
        let declaring = self.0.declared.declare(&connection, None);
        timeout(DECLARING, declaring).await.map_err(|_| away_for("declaring took too long"))?
    }

    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        let exchange = self.0.names.events();
        let letter = |event: &Envelope| Letter {
            exchange: exchange.clone(),
            key: event.routing_key().to_owned(),
            message: Message::of(event),
        };
        let results = self.0.publisher.send_all(events.iter().map(letter).collect()).await;
        super::count_published(events, &results);
        results
    }

    async fn send_to(&self, queue: &str, event: &Envelope) -> Result<(), BusError> {
        let (exchange, key) = (String::new(), self.0.names.of(queue));
        self.0.publisher.send(Letter { exchange, key, message: Message::of(event) }).await
    }

    async fn consume(
        &self,
        queue: &str,
        prefetch: u16,
    ) -> Result<BoxStream<'static, Delivery>, BusError> {
        Ok(self.deliveries(queue, prefetch).map(delivery).boxed())
    }

    async fn consume_dead(&self, queue: &str) -> Result<BoxStream<'static, DeadMessage>, BusError> {
        let deliveries = self.deliveries(&dead_letter_queue(queue), DEAD_PREFETCH);
        let queue = queue.to_owned();
        Ok(deliveries.map(move |received| dead_message(&queue, received)).boxed())
    }

    async fn subscribe(
        &self,
        name: &str,
        bindings: &[&str],
    ) -> Result<BoxStream<'static, Signal>, BusError> {
        let (signals, heard) = broadcast::channel(signals::KEPT);
        let (bound, is_bound) = oneshot::channel();
        let subscription = Subscription {
            link: self.0.consume_link.view(),
            names: self.0.names.clone(),
            name: name.to_owned(),
            bindings: bindings.iter().map(|&binding| binding.to_owned()).collect(),
            signals,
            bound: Some(bound),
        };
        tokio::spawn(subscription.run());
        // Not bound in time: the stream begins with a gap.
        let _ = timeout(CONNECTING, is_bound).await;
        Ok(signals::stream(heard))
    }

    async fn depth(&self, queue: &str) -> Result<(u64, u64), BusError> {
        let names = &self.0.names;
        let asking = async {
            let connection = self.0.consume_link.view().connection().await;
            let connection = connection.ok_or_else(|| away_for("the bus has been closed"))?;
            let channel = connection.create_channel().await.map_err(away)?;
            let count = async |name: String| {
                let passive = QueueDeclareOptions { passive: true, ..Default::default() };
                let queue = channel.queue_declare(name.into(), passive, FieldTable::default());
                queue.await.map(|queue| u64::from(queue.message_count())).map_err(away)
            };
            let mut waiting = 0;
            for name in topology::waiting(names, queue) {
                waiting += count(name).await?;
            }
            Ok((waiting, count(names.dead(queue)).await?))
        };
        timeout(ASKING, asking).await.map_err(|_| away_for("no answer in time"))?
    }

    async fn ping(&self) -> Result<(), BusError> {
        let mut link = self.0.publish_link.view();
        if link.is_blocked() {
            return Err(away_for("publishing is blocked by the broker"));
        }
        let asking = async {
            let connection = link.connection().await;
            let connection = connection.ok_or_else(|| away_for("the bus has been closed"))?;
            connection.create_channel().await.map(drop).map_err(away)
        };
        timeout(ASKING, asking).await.map_err(|_| away_for("no answer in time"))?
    }
}

fn delivery(received: Received) -> Delivery {
    let Received { message, attempt, ticket, .. } = received;
    let envelope = message.envelope().map_err(|reason| UndecodableMessage { reason });
    Delivery { envelope, attempt, answer: Box::new(ticket) }
}

fn dead_message(queue: &str, received: Received) -> DeadMessage {
    let death = Death::of(&received.message.properties);
    DeadMessage {
        queue: queue.to_owned(),
        envelope: received.message.salvage(),
        answer: Box::new(received.ticket.keep(&death)),
        parked_at: death.at,
        attempts: death.attempts,
        reason: death.reason,
    }
}

fn away(error: lapin::Error) -> BusError {
    BusError::Away(Box::new(error))
}

fn away_for(reason: &str) -> BusError {
    BusError::Away(reason.to_owned().into())
}
