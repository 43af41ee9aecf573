//! The bus in one process: durable queues in a SQLite file, with RabbitMQ's promises.
//!
//! Topic routing, a body once for all queues, acknowledgement, retry at a time, dead letters,
//! attempts counted when a message is taken (so that a crash counts). One task writes; see
//! [`writer`].
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use rustix::fs::{FlockOperation, flock};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{
    Bus, BusError, DeadMessage, Delivery, QueueSpec, Signal, UndecodableMessage, dead_letter_queue,
    signals,
};
use crate::Envelope;

use command::{Claimed, Command, Done, Outgoing, Writer};

mod claims;
mod command;
mod note;
mod queues;
mod schema;
mod statements;
mod subscriptions;
mod ticket;
pub(super) mod topic;
mod transaction;
mod writer;

/// Events on their way to the disk; publishers beyond wait.
const IN_FLIGHT: usize = 8192;
/// Events of one command.
const CHUNK: usize = 1000;
const DEAD_PREFETCH: u16 = 64;
/// A predecessor in this or another process may still be writing its last group.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

type Published = oneshot::Receiver<Vec<Result<(), BusError>>>;

pub(super) struct LocalBus {
    writer: Writer,
    in_flight: Arc<Semaphore>,
}

impl LocalBus {
    pub(super) async fn open(data_dir: &Path) -> Result<Self, BusError> {
        let lock = lock(&data_dir.join("bus.lock")).await?;
        let conn = schema::open(&data_dir.join("bus.db")).await.map_err(away)?;
        let (writer, commands) = mpsc::unbounded_channel();
        let task = writer::WriterTask::new(conn, commands, writer.downgrade(), lock);
        tokio::spawn(task.await.map_err(away)?.run());
        Ok(Self { writer, in_flight: Arc::new(Semaphore::new(IN_FLIGHT)) })
    }

    async fn ask<T>(&self, command: impl FnOnce(Done<T>) -> Command) -> Result<T, BusError> {
        let (done, answer) = oneshot::channel();
        ask(&self.writer, command(done), answer).await
    }

    async fn claims(
        &self,
        queue: String,
        prefetch: u16,
    ) -> Result<BoxStream<'static, Claimed>, BusError> {
        let found = self.ask(|done| Command::Find { queue, done }).await?;
        Ok(claims::stream(self.writer.clone(), found, prefetch))
    }

    /// Hands the chunk to the writer and answers where its results will come.
    async fn hand_over(&self, chunk: &[Envelope]) -> Option<Published> {
        let size = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        let permit = self.in_flight.clone().acquire_many_owned(size).await.ok()?;
        let (done, answer) = oneshot::channel();
        let events = chunk.iter().map(outgoing).collect();
        tell(&self.writer, Command::Publish { events, done, permit }).ok()?;
        Some(answer)
    }
}

#[async_trait::async_trait]
impl Bus for LocalBus {
    async fn declare(&self, queues: &[QueueSpec]) -> Result<(), BusError> {
        let spec = |queue: &QueueSpec| {
            let bindings = queue.bindings.iter().map(|&binding| binding.to_owned()).collect();
            (queue.name.to_owned(), bindings)
        };
        let queues = queues.iter().map(spec).collect();
        self.ask(|done| Command::Declare { queues, done }).await
    }

    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        let mut answers = Vec::new();
        for chunk in events.chunks(CHUNK) {
            answers.push((chunk.len(), self.hand_over(chunk).await));
        }
        let mut results = Vec::with_capacity(events.len());
        for (size, answer) in answers {
            let answer = match answer {
                Some(answer) => answer.await.ok(),
                None => None,
            };
            let gone = || (0..size).map(|_| Err(writer_gone())).collect();
            results.extend(answer.unwrap_or_else(gone));
        }
        super::count_published(events, &results);
        results
    }

    async fn send_to(&self, queue: &str, event: &Envelope) -> Result<(), BusError> {
        let (queue, event) = (queue.to_owned(), Box::new(outgoing(event)));
        self.ask(|done| Command::SendTo { queue, event, done }).await
    }

    async fn consume(
        &self,
        queue: &str,
        prefetch: u16,
    ) -> Result<BoxStream<'static, Delivery>, BusError> {
        Ok(self.claims(queue.to_owned(), prefetch).await?.map(delivery).boxed())
    }

    async fn consume_dead(&self, queue: &str) -> Result<BoxStream<'static, DeadMessage>, BusError> {
        let claims = self.claims(dead_letter_queue(queue), DEAD_PREFETCH).await?;
        let queue = queue.to_owned();
        Ok(claims.map(move |claimed| dead_message(&queue, claimed)).boxed())
    }

    async fn subscribe(
        &self,
        _name: &str,
        bindings: &[&str],
    ) -> Result<BoxStream<'static, Signal>, BusError> {
        let bindings = bindings.iter().map(|&binding| binding.to_owned()).collect();
        let heard = self.ask(|done| Command::Subscribe { bindings, done }).await?;
        Ok(signals::stream(heard))
    }

    async fn depth(&self, queue: &str) -> Result<(u64, u64), BusError> {
        let queue = queue.to_owned();
        self.ask(|done| Command::Depth { queue, done }).await
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.ask(|done| Command::Ping { done }).await
    }
}

fn tell(writer: &Writer, command: Command) -> Result<(), BusError> {
    writer.send(command).map_err(|_| writer_gone())
}

async fn ask<T>(
    writer: &Writer,
    command: Command,
    answer: oneshot::Receiver<Result<T, BusError>>,
) -> Result<T, BusError> {
    tell(writer, command)?;
    answer.await.map_err(|_| writer_gone())?
}

/// Only while the runtime is going down.
fn writer_gone() -> BusError {
    BusError::Away("the bus has been closed".into())
}

fn away(error: sqlx::Error) -> BusError {
    BusError::Away(Box::new(error))
}

fn outgoing(event: &Envelope) -> Outgoing {
    let headers = serde_json::to_string(&event.headers()).unwrap_or_default();
    Outgoing { event: event.clone(), headers }
}

fn delivery(claimed: Claimed) -> Delivery {
    let Claimed { headers, payload, attempt, ticket, .. } = claimed;
    let decode = |headers: String| {
        let headers = serde_json::from_str(&headers).map_err(|error| error.to_string())?;
        Envelope::from_headers(&headers, payload.into())
    };
    let envelope = decode(headers).map_err(|reason| UndecodableMessage { reason });
    Delivery { envelope, attempt, answer: ticket.hand_out() }
}

fn dead_message(queue: &str, claimed: Claimed) -> DeadMessage {
    let Claimed { headers, payload, note, ticket, .. } = claimed;
    let note = note::Note::from_json(note.as_deref());
    let headers = serde_json::from_str(&headers).unwrap_or_default();
    DeadMessage {
        queue: queue.to_owned(),
        envelope: Envelope::salvage(&headers, payload.into()),
        parked_at: note.parked_at(),
        attempts: note.attempts,
        reason: note.reason,
        answer: ticket.hand_out(),
    }
}

/// One owner: two writers with claims in memory would hand out the same message twice.
async fn lock(path: &Path) -> Result<File, BusError> {
    let away = |error: std::io::Error| BusError::Away(Box::new(error));
    let options = OpenOptions::new().create(true).truncate(false).write(true).clone();
    let file = options.open(path).map_err(away)?;
    let taken = async {
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(LOCK_PATIENCE, taken).await {
        Ok(()) => Ok(file),
        Err(_) => Err(BusError::Refused("another process owns bus.db".to_owned())),
    }
}
