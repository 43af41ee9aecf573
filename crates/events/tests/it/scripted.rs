//! A bus that does what a test tells it: refuses, loses answers, redelivers.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use souk_events::bus::{Answer, DeadMessage, Delivery, UndecodableMessage};
use souk_events::{Bus, BusError, Envelope, QueueSpec, Signal};
use souk_values::Clock;
use tokio::sync::Notify;
use uuid::Uuid;

/// What becomes of a published message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reply {
    Confirm,
    /// It arrives, but the sender does not hear of it.
    ConfirmUnheard,
    Away,
    Unroutable,
    Refused,
}

type Script = Box<dyn FnMut(&Envelope) -> Reply + Send>;
type Message = (Result<Envelope, UndecodableMessage>, u32);

pub(crate) struct Parked {
    pub(crate) reason: String,
    pub(crate) attempt: u32,
}

#[derive(Default)]
pub(crate) struct Log {
    /// In the order of arrival.
    pub(crate) arrived: Vec<Envelope>,
    pub(crate) tries: usize,
    pub(crate) waiting: VecDeque<Message>,
    pub(crate) acked: usize,
    pub(crate) retried: Vec<(Uuid, Duration)>,
    pub(crate) released: usize,
    pub(crate) parked: Vec<Parked>,
    /// Dead messages that nobody has acknowledged yet.
    dead: VecDeque<(Envelope, String, u32)>,
}

struct Shared {
    log: Mutex<Log>,
    news: Notify,
    dead_news: Notify,
}

#[derive(Clone)]
pub(crate) struct ScriptedBus {
    shared: Arc<Shared>,
    script: Arc<Mutex<Script>>,
}

impl ScriptedBus {
    pub(crate) fn new(script: impl FnMut(&Envelope) -> Reply + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            log: Mutex::default(),
            news: Notify::new(),
            dead_news: Notify::new(),
        });
        Self { shared, script: Arc::new(Mutex::new(Box::new(script))) }
    }

    pub(crate) fn good() -> Self {
        Self::new(|_| Reply::Confirm)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.shared.log.lock().unwrap()
    }

    pub(crate) fn now(&self, script: impl FnMut(&Envelope) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Puts a message into the queue, as a delivery of this number.
    pub(crate) fn deliver(&self, event: Envelope, attempt: u32) {
        self.shared.put_back((Ok(event), attempt));
    }

    pub(crate) fn deliver_rubbish(&self) {
        let reason = "no id".to_owned();
        self.shared.put_back((Err(UndecodableMessage { reason }), 1));
    }
}

impl Shared {
    fn put_back(&self, message: Message) {
        self.log.lock().unwrap().waiting.push_back(message);
        self.news.notify_one();
    }
}

#[async_trait::async_trait]
impl Bus for ScriptedBus {
    async fn declare(&self, _: &[QueueSpec]) -> Result<(), BusError> {
        Ok(())
    }

    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        tokio::task::yield_now().await;
        let mut script = self.script.lock().unwrap();
        let mut log = self.log();
        let mut answers = Vec::new();
        for event in events {
            log.tries += 1;
            let reply = script(event);
            if matches!(reply, Reply::Confirm | Reply::ConfirmUnheard) {
                log.arrived.push(event.clone());
            }
            answers.push(match reply {
                Reply::Confirm => Ok(()),
                Reply::Away | Reply::ConfirmUnheard => Err(BusError::Away("cable".into())),
                Reply::Unroutable => Err(BusError::Unroutable(event.routing_key().to_owned())),
                Reply::Refused => Err(BusError::Refused("full".to_owned())),
            });
        }
        answers
    }

    async fn send_to(&self, _: &str, event: &Envelope) -> Result<(), BusError> {
        self.deliver(event.clone(), 1);
        Ok(())
    }

    async fn consume(&self, _: &str, _: u16) -> Result<BoxStream<'static, Delivery>, BusError> {
        let deliveries = stream::unfold(self.shared.clone(), |shared| async {
            loop {
                let next = shared.log.lock().unwrap().waiting.pop_front();
                if let Some((envelope, attempt)) = next {
                    let given = Given {
                        message: Some((envelope.clone(), attempt)),
                        shared: shared.clone(),
                    };
                    let answer = Box::new(given);
                    return Some((Delivery { envelope, attempt, answer }, shared));
                }
                shared.news.notified().await;
            }
        });
        Ok(deliveries.boxed())
    }

    async fn consume_dead(&self, queue: &str) -> Result<BoxStream<'static, DeadMessage>, BusError> {
        let queue = queue.to_owned();
        let dead = stream::unfold((self.shared.clone(), queue), |(shared, queue)| async {
            loop {
                let next = shared.log.lock().unwrap().dead.pop_front();
                if let Some((envelope, reason, attempts)) = next {
                    let dead = DeadMessage {
                        queue: queue.clone(),
                        envelope,
                        reason,
                        attempts,
                        parked_at: Clock::system().now(),
                        answer: Box::new(Buried(shared.clone())),
                    };
                    return Some((dead, (shared, queue)));
                }
                shared.dead_news.notified().await;
            }
        });
        Ok(dead.boxed())
    }

    async fn subscribe(&self, _: &str, _: &[&str]) -> Result<BoxStream<'static, Signal>, BusError> {
        Ok(stream::pending().boxed())
    }

    async fn depth(&self, _: &str) -> Result<(u64, u64), BusError> {
        let log = self.log();
        Ok((log.waiting.len() as u64, log.dead.len() as u64))
    }

    async fn ping(&self) -> Result<(), BusError> {
        Ok(())
    }
}

/// The answer to a delivery; dropped without a word, the message goes back.
struct Given {
    message: Option<Message>,
    shared: Arc<Shared>,
}

impl Given {
    fn take(&mut self) -> Message {
        self.message.take().unwrap()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.shared.put_back(message);
        }
    }
}

#[async_trait::async_trait]
impl Answer for Given {
    async fn ack(mut self: Box<Self>) -> Result<(), BusError> {
        drop(self.take());
        self.shared.log.lock().unwrap().acked += 1;
        Ok(())
    }

    /// At once: tests look at the wait, they do not sit it out.
    async fn retry(mut self: Box<Self>, after: Duration) -> Result<(), BusError> {
        let (envelope, attempt) = self.take();
        let id = envelope.as_ref().unwrap().id;
        self.shared.log.lock().unwrap().retried.push((id, after));
        self.shared.put_back((envelope, attempt + 1));
        Ok(())
    }

    async fn park(mut self: Box<Self>, reason: &str) -> Result<(), BusError> {
        let (envelope, attempt) = self.take();
        let mut log = self.shared.log.lock().unwrap();
        log.dead.extend(envelope.ok().map(|event| (event, reason.to_owned(), attempt)));
        log.parked.push(Parked { reason: reason.to_owned(), attempt });
        self.shared.dead_news.notify_one();
        Ok(())
    }

    async fn release(mut self: Box<Self>) -> Result<(), BusError> {
        let message = self.take();
        self.shared.log.lock().unwrap().released += 1;
        self.shared.put_back(message);
        Ok(())
    }
}

struct Buried(Arc<Shared>);

#[async_trait::async_trait]
impl Answer for Buried {
    async fn ack(self: Box<Self>) -> Result<(), BusError> {
        self.0.log.lock().unwrap().acked += 1;
        Ok(())
    }
    async fn retry(self: Box<Self>, _: Duration) -> Result<(), BusError> {
        Ok(())
    }
    async fn park(self: Box<Self>, _: &str) -> Result<(), BusError> {
        Ok(())
    }
    async fn release(self: Box<Self>) -> Result<(), BusError> {
        Ok(())
    }
}
