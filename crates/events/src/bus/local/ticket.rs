//! The right to answer for one claimed message. However it is lost, the message is not.
use std::time::Duration;

use souk_values::Clock;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::command::{Command, Outcome, Settlement, Writer};
use super::note::Note;
use crate::bus::{Answer, BusError};

pub(super) struct Ticket {
    writer: Writer,
    queue: usize,
    message: i64,
    attempt: u32,
    credit: Option<OwnedSemaphorePermit>,
    handed: bool,
    answered: bool,
}

impl Ticket {
    pub(super) fn new(writer: Writer, queue: usize, message: i64, attempt: u32) -> Self {
        Self { writer, queue, message, attempt, credit: None, handed: false, answered: false }
    }

    /// Frees a place of the prefetch when the message is settled.
    pub(super) fn hold(&mut self, credit: OwnedSemaphorePermit) {
        self.credit = Some(credit);
    }

    /// From here on, a ticket that is dropped has been tried.
    pub(super) fn hand_out(mut self) -> Box<Self> {
        self.handed = true;
        Box::new(self)
    }

    fn settlement(&mut self, outcome: Outcome) -> Settlement {
        self.answered = true;
        let (queue, message, credit) = (self.queue, self.message, self.credit.take());
        Settlement { queue, message, outcome, credit, done: None }
    }

    async fn settle(&mut self, outcome: Outcome) -> Result<(), BusError> {
        let (done, answer) = oneshot::channel();
        let settlement = Settlement { done: Some(done), ..self.settlement(outcome) };
        super::ask(&self.writer, Command::Settle(settlement), answer).await
    }
}

#[async_trait::async_trait]
impl Answer for Ticket {
    /// Does not wait for the disk, as an AMQP acknowledgement does not wait for the broker: what is
    /// lost with it in a crash comes again, and the inbox knows it.
    async fn ack(mut self: Box<Self>) -> Result<(), BusError> {
        let mut settlement = self.settlement(Outcome::Ack);
        drop(settlement.credit.take());
        super::tell(&self.writer, Command::Settle(settlement))
    }

    async fn retry(mut self: Box<Self>, after: Duration) -> Result<(), BusError> {
        let after_us = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let due_us = Clock::system().now_us().saturating_add(after_us);
        self.settle(Outcome::Retry(due_us)).await
    }

    async fn park(mut self: Box<Self>, reason: &str) -> Result<(), BusError> {
        let note = Note::new(reason, self.attempt, Clock::system().now_us());
        self.settle(Outcome::Park(note.to_json())).await
    }

    async fn release(mut self: Box<Self>) -> Result<(), BusError> {
        self.settle(Outcome::Release).await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered {
            let outcome = if self.handed { Outcome::Return } else { Outcome::Release };
            let settlement = self.settlement(outcome);
            // Fails only when the writer is gone; then the claim is void anyway.
            let _ = self.writer.send(Command::Settle(settlement));
        }
    }
}
