//! The bus: durable queues behind one topic exchange. RabbitMQ, or SQLite with the same semantics.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;

use crate::Envelope;

mod local;
mod rabbit;
mod signals;

/// A durable queue and the routing keys it wants.
#[derive(Clone, Copy, Debug)]
pub struct QueueSpec {
    pub name: &'static str,
    pub bindings: &'static [&'static str],
}

impl QueueSpec {
    /// Whether an event of this type goes to the queue.
    pub fn takes(&self, event_type: &str) -> bool {
        let key = event_type.strip_prefix("souk.").unwrap_or(event_type);
        self.bindings.iter().any(|binding| local::topic::matches(binding, key))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("the bus cannot be reached")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No queue wants the message; it must be kept by the sender.
    #[error("no queue is bound for {0}")]
    Unroutable(String),
    #[error("the bus refused the message: {0}")]
    Refused(String),
}

/// One message handed to a consumer. Exactly one of the answers must be given; dropping it
/// unanswered returns it.
pub struct Delivery {
    pub envelope: Result<Envelope, UndecodableMessage>,
    /// 1 for the first delivery.
    pub attempt: u32,
    pub answer: Box<dyn Answer>,
}

/// A message whose headers are not those of an event.
#[derive(Clone, Debug)]
pub struct UndecodableMessage {
    pub reason: String,
}

#[async_trait::async_trait]
pub trait Answer: Send + Sync {
    /// Done; never again.
    async fn ack(self: Box<Self>) -> Result<(), BusError>;
    /// Again, not before `after`; counts as an attempt.
    async fn retry(self: Box<Self>, after: Duration) -> Result<(), BusError>;
    /// To the queue's dead letters, with the reason.
    async fn park(self: Box<Self>, reason: &str) -> Result<(), BusError>;
    /// Back to the queue as if never taken.
    async fn release(self: Box<Self>) -> Result<(), BusError>;
}

/// A message of a queue's dead letters.
pub struct DeadMessage {
    pub queue: String,
    pub envelope: Envelope,
    pub reason: String,
    pub attempts: u32,
    pub parked_at: chrono::DateTime<chrono::Utc>,
    pub answer: Box<dyn Answer>,
}

/// What a temporary subscription hears.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "gaps are rare: nearly all signals are events")]
pub enum Signal {
    Event(Envelope),
    /// Something may have been missed: begin anew.
    Gap,
}

/// Two real implementations: [`rabbit`](rabbit) and [`local`](local).
#[async_trait::async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Declares the exchange, each queue with its retry and dead-letter queues, and the bindings;
    /// idempotent.
    async fn declare(&self, queues: &[QueueSpec]) -> Result<(), BusError>;
    /// Publishes each; one answer each, in order. `Ok` means: durable in every queue that wants it.
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>>;
    /// Puts a message into one queue only (replay).
    async fn send_to(&self, queue: &str, event: &Envelope) -> Result<(), BusError>;
    /// Never ends by itself; survives the broker's absence.
    async fn consume(
        &self,
        queue: &str,
        prefetch: u16,
    ) -> Result<BoxStream<'static, Delivery>, BusError>;
    /// The dead letters of a queue, to be drained into a table (ack after commit).
    async fn consume_dead(&self, queue: &str) -> Result<BoxStream<'static, DeadMessage>, BusError>;
    /// A temporary queue of this process alone (`souk.gateway.<uuid>`); nothing is kept while
    /// nobody listens.
    async fn subscribe(
        &self,
        name: &str,
        bindings: &[&str],
    ) -> Result<BoxStream<'static, Signal>, BusError>;
    /// Messages waiting in a queue and in its dead letters.
    async fn depth(&self, queue: &str) -> Result<(u64, u64), BusError>;
    async fn ping(&self) -> Result<(), BusError>;
}

/// `amqp://…` or `amqps://…`: RabbitMQ; empty: SQLite in `data_dir/bus.db`. Does not wait for the
/// broker.
///
/// `?souk_prefix=abc` in the URL puts `abc.` before the name of every exchange and queue, so that
/// several houses can share one virtual host.
pub async fn open(url: &str, data_dir: &Path) -> Result<Arc<dyn Bus>, BusError> {
    if url.is_empty() {
        Ok(Arc::new(local::LocalBus::open(data_dir).await?))
    } else if url.starts_with("amqp://") || url.starts_with("amqps://") {
        Ok(Arc::new(rabbit::RabbitBus::open(url)?))
    } else {
        Err(BusError::Refused(
            "bus.url must begin with amqp:// or amqps://, or be empty".to_owned(),
        ))
    }
}

/// The queue that holds the dead letters of `queue`.
pub fn dead_letter_queue(queue: &str) -> String {
    format!("{queue}.dlq")
}

fn count_published(events: &[Envelope], results: &[Result<(), BusError>]) {
    for (event, result) in events.iter().zip(results) {
        match result {
            Ok(()) => {
                let kind = event.event_type.clone();
                metrics::counter!("events_published_total", "type" => kind).increment(1);
            }
            Err(BusError::Unroutable(_)) => {
                metrics::counter!("bus_unroutable_total").increment(1);
            }
            Err(_) => {}
        }
    }
}
