//! The loop of a consumer: gather what is there, attempt it together, and what fails alone.
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use souk_storage::Database;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::company::Company;
use super::inbox::Inbox;
use super::outcome::{self, Outcome};
use super::{Consumer, HandleError, inbox};
use crate::bus::{Answer, Delivery};
use crate::{Bus, BusError, Envelope};

/// First and longest pause while something is away.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A consumer at work.
pub(super) struct Run {
    consumer: Consumer,
    db: Database,
    inbox: Inbox,
    pruned: Option<Instant>,
}

/// A decoded delivery.
struct Letter {
    event: Envelope,
    attempt: u32,
    answer: Box<dyn Answer>,
}

/// Whether to go on at once.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    On,
    Pause,
}

impl Run {
    pub(super) fn new(consumer: Consumer, db: Database) -> Self {
        let inbox = Inbox { queue: consumer.queue, clock: consumer.clock.clone() };
        Self { consumer, db, inbox, pruned: None }
    }

    pub(super) async fn until(mut self, bus: &dyn Bus, stop: &CancellationToken) {
        let mut pause = PAUSE.0;
        while !stop.is_cancelled() {
            match bus.consume(self.consumer.queue, self.consumer.prefetch).await {
                Ok(deliveries) => self.take(deliveries, stop, &mut pause).await,
                Err(error) => {
                    let queue = self.consumer.queue;
                    tracing::warn!(queue, error = %error, "cannot consume");
                }
            }
            // a stream that ended, or none: not again at once
            rest(&mut pause, stop).await;
        }
    }

    async fn take(
        &mut self,
        deliveries: BoxStream<'static, Delivery>,
        stop: &CancellationToken,
        pause: &mut Duration,
    ) {
        let mut batches = deliveries.ready_chunks(usize::from(self.consumer.prefetch));
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                batch = batches.next() => batch,
                () = tokio::time::sleep(LOOK_EVERY) => {
                    self.prune().await;
                    continue;
                }
            };
            let Some(batch) = batch else { return };
            match self.batch(batch, stop).await {
                Flow::On => *pause = PAUSE.0,
                Flow::Pause => {
                    tracing::warn!(queue = self.consumer.queue, "consumer pauses");
                    rest(pause, stop).await;
                }
            }
        }
    }

    async fn batch(&self, batch: Vec<Delivery>, stop: &CancellationToken) -> Flow {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for Delivery { envelope, attempt, answer } in batch {
            match envelope {
                Ok(event) if attempt > 1 => again.push(Letter { event, attempt, answer }),
                Ok(event) => first.push(Letter { event, attempt, answer }),
                Err(undecodable) => {
                    self.count("parked", 1);
                    self.told(answer.park(&undecodable.reason).await);
                }
            }
        }
        let span = tracing::info_span!(
            "consume",
            queue = self.consumer.queue,
            events = first.len() + again.len()
        );
        for letter in again.iter().chain(&first) {
            if let Some(traceparent) = &letter.event.traceparent {
                souk_telemetry::link(&span, traceparent);
            }
        }
        async {
            // older ones before younger ones; one that kills the process is found because it is
            // alone
            if self.each(again, stop).await == Flow::Pause {
                return self.release(first).await;
            }
            self.together(first, stop).await
        }
        .instrument(span)
        .await
    }

    /// All in one transaction; when that fails, each alone.
    async fn together(&self, letters: Vec<Letter>, stop: &CancellationToken) -> Flow {
        if letters.is_empty() {
            return Flow::On;
        }
        let events: Vec<Envelope> = letters.iter().map(|letter| letter.event.clone()).collect();
        let attempted = {
            let _company = Company::some().await;
            self.attempt(&events).await
        };
        match attempted {
            Ok(()) => {
                let acks = letters.into_iter().map(|letter| letter.answer.ack());
                for result in futures::future::join_all(acks).await {
                    self.told(result);
                }
                Flow::On
            }
            Err(error) if outcome::of(&error, 1) == Outcome::Release => {
                tracing::warn!(error = %error, "not now");
                self.release(letters).await
            }
            Err(error) => match <[Letter; 1]>::try_from(letters) {
                Ok([letter]) => self.conclude(letter, &error).await,
                Err(letters) => {
                    tracing::debug!(error = %error, "batch failed, one by one");
                    self.each(letters, stop).await
                }
            },
        }
    }

    /// Each alone, in order. After a stop or a pause the rest goes back.
    async fn each(&self, letters: Vec<Letter>, stop: &CancellationToken) -> Flow {
        let mut letters = letters.into_iter();
        while let Some(letter) = letters.next() {
            if self.alone(letter).await == Flow::Pause || stop.is_cancelled() {
                return self.release(letters.collect()).await;
            }
        }
        Flow::On
    }

    async fn alone(&self, letter: Letter) -> Flow {
        match self.tried(&letter).await {
            Ok(()) => {
                self.told(letter.answer.ack().await);
                Flow::On
            }
            Err(error) => self.conclude(letter, &error).await,
        }
    }

    async fn conclude(&self, letter: Letter, error: &HandleError) -> Flow {
        let Letter { event, attempt, answer } = letter;
        let outcome = outcome::of(error, attempt);
        tracing::warn!(
            event.id = %event.id, event.kind = event.event_type, attempt, error = %error,
            "event not handled"
        );
        if let Outcome::Park(_) = &outcome {
            noted(self.inbox.forget(&self.db, &event).await);
        }
        let (flow, answered) = match outcome {
            Outcome::Release => {
                self.count("released", 1);
                (Flow::Pause, answer.release().await)
            }
            Outcome::Retry(after) => {
                self.count("retried", 1);
                (Flow::On, answer.retry(after).await)
            }
            Outcome::Park(reason) => {
                self.count("parked", 1);
                (Flow::On, answer.park(&reason).await)
            }
        };
        self.told(answered);
        flow
    }

    /// One event by itself. A redelivered one is noted before it is touched: if the process dies of
    /// it, the next one knows. One that was at work when a process died is tried without company,
    /// so that no other is blamed for it.
    async fn tried(&self, letter: &Letter) -> Result<(), HandleError> {
        let Letter { event, attempt, .. } = letter;
        let events = std::slice::from_ref(event);
        if *attempt == 1 {
            let _company = Company::some().await;
            return self.attempt(events).await;
        }
        loop {
            let Some(starts) = self.inbox.starts(&self.db, event).await? else {
                self.count("duplicate", 1);
                return Ok(());
            };
            if outcome::kills(starts, *attempt) {
                let reason = format!("crashed the process {} times", outcome::CRASHES);
                return Err(HandleError::Poisoned(reason));
            }
            let _company = if outcome::is_suspect(starts) {
                Company::none().await
            } else {
                Company::some().await
            };
            // noted once it has the company that it should: who only waits for it is no suspect
            if self.inbox.start(&self.db, event, starts).await? {
                let done = self.attempt(events).await;
                if done.is_err() {
                    // it failed, but the process lives: this start, and no other, has an end
                    noted(self.inbox.ended(&self.db, event).await);
                }
                return done;
            }
        }
    }

    async fn attempt(&self, events: &[Envelope]) -> Result<(), HandleError> {
        let new = self.consumer.work.attempt(&self.db, &self.inbox, events).await?;
        self.count("done", new);
        self.count("duplicate", events.len() - new);
        if let Some(last) = events.last() {
            let lag = (self.consumer.clock.now() - last.time).num_milliseconds() as f64 / 1000.0;
            metrics::gauge!("consumer_lag_seconds", "queue" => self.consumer.queue).set(lag);
        }
        Ok(())
    }

    async fn release(&self, letters: Vec<Letter>) -> Flow {
        self.count("released", letters.len());
        for letter in letters {
            self.told(letter.answer.release().await);
        }
        Flow::Pause
    }

    async fn prune(&mut self) {
        if self.pruned.is_some_and(|at| at.elapsed() < PRUNE_EVERY) {
            return;
        }
        match inbox::prune(&self.db, self.consumer.queue, &self.consumer.clock).await {
            // a full slice: the next one with the next look
            Ok(gone) => self.pruned = (gone == 0).then(Instant::now),
            Err(error) => tracing::warn!(error = %error, "inbox not pruned"),
        }
    }

    fn count(&self, outcome: &'static str, events: usize) {
        let queue = self.consumer.queue;
        metrics::counter!("events_consumed_total", "queue" => queue, "outcome" => outcome)
            .increment(events as u64);
    }

    /// An answer that the bus did not get means one more delivery, which the inbox knows.
    fn told(&self, result: Result<(), BusError>) {
        if let Err(error) = result {
            tracing::debug!(queue = self.consumer.queue, error = %error, "answer lost");
        }
    }
}

/// What could not be noted is known less exactly after the next death of the process.
fn noted(result: Result<(), souk_storage::DbErr>) {
    if let Err(error) = result {
        tracing::warn!(error = %error, "inbox not written");
    }
}

async fn rest(pause: &mut Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(*pause) => {}
    }
    *pause = (*pause * 2).min(PAUSE.1);
}
