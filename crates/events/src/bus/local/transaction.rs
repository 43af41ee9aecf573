//! One group of commands, applied in order inside one transaction. Inserts and removals of
//! neighbouring commands are collected, so that an import of many events needs few statements.
use std::collections::BTreeMap;

use souk_values::Clock;
use sqlx::SqliteConnection;
use tokio::sync::broadcast;

use super::command::{Command, Outcome, Outgoing, Settlement};
use super::queues::Queues;
use super::statements::{self, NewMessage, Taken};
use super::subscriptions::Subscriptions;
use crate::bus::{BusError, Signal, dead_letter_queue};

/// What a command will be answered once the transaction is committed.
pub(super) enum Reply {
    Done(Result<(), BusError>),
    Published(Vec<Result<(), BusError>>),
    Found(Option<usize>),
    Claimed { queue: usize, rows: Vec<Taken>, next_due_us: Option<i64> },
    Subscribed(broadcast::Receiver<Signal>),
    Depth(u64, u64),
}

/// The changes that were asked for and not yet sent to SQLite.
pub(super) struct Transaction<'a> {
    conn: &'a mut SqliteConnection,
    queues: &'a mut Queues,
    subscriptions: &'a mut Subscriptions,
    last_message: &'a mut i64,
    messages: Vec<NewMessage<'a>>,
    deliveries: BTreeMap<usize, Vec<i64>>,
    removals: BTreeMap<usize, Vec<i64>>,
}

impl<'a> Transaction<'a> {
    pub(super) async fn begin(
        conn: &'a mut SqliteConnection,
        queues: &'a mut Queues,
        subscriptions: &'a mut Subscriptions,
        last_message: &'a mut i64,
    ) -> Result<Self, sqlx::Error> {
        statements::run(conn, "BEGIN IMMEDIATE").await?;
        let (messages, deliveries, removals) = Default::default();
        Ok(Self { conn, queues, subscriptions, last_message, messages, deliveries, removals })
    }

    pub(super) async fn apply(&mut self, command: &'a Command) -> Result<Reply, sqlx::Error> {
        Ok(match command {
            Command::Declare { queues, .. } => {
                self.declare(queues).await?;
                Reply::Done(Ok(()))
            }
            Command::Publish { events, .. } => {
                Reply::Published(events.iter().map(|event| self.publish(event)).collect())
            }
            Command::SendTo { queue, event, .. } => Reply::Done(self.send_to(queue, event)),
            Command::Find { queue, .. } => Reply::Found(self.queues.place(queue)),
            Command::Claim { queue, most, .. } => self.claim(*queue, *most).await?,
            Command::Settle(settlement) => {
                self.settle(settlement).await?;
                Reply::Done(Ok(()))
            }
            Command::Subscribe { bindings, .. } => {
                Reply::Subscribed(self.subscriptions.add(bindings.clone()))
            }
            Command::Depth { queue, .. } => self.depth(queue),
            Command::Ping { .. } => {
                statements::run(self.conn, "SELECT 1").await?;
                Reply::Done(Ok(()))
            }
        })
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.flush().await?;
        statements::run(self.conn, "COMMIT").await
    }

    async fn declare(&mut self, queues: &[(String, Vec<String>)]) -> Result<(), sqlx::Error> {
        for (name, bindings) in queues {
            for (name, bindings) in
                [(name.clone(), bindings.clone()), (dead_letter_queue(name), Vec::new())]
            {
                if !self.queues.is_bound(&name, &bindings) {
                    let id = statements::declare(self.conn, &name, &bindings.join(" ")).await?;
                    self.queues.add(id, name, bindings);
                }
            }
        }
        Ok(())
    }

    fn publish(&mut self, outgoing: &'a Outgoing) -> Result<(), BusError> {
        let key = outgoing.event.routing_key();
        let route = self.queues.route(key);
        if route.is_empty() {
            let heard = self.subscriptions.want(key);
            return if heard { Ok(()) } else { Err(BusError::Unroutable(key.to_owned())) };
        }
        self.enqueue(outgoing, &route);
        Ok(())
    }

    fn send_to(&mut self, queue: &str, outgoing: &'a Outgoing) -> Result<(), BusError> {
        let place = self.queues.place(queue);
        let place = place.ok_or_else(|| BusError::Unroutable(queue.to_owned()))?;
        self.enqueue(outgoing, &[place]);
        Ok(())
    }

    fn enqueue(&mut self, outgoing: &'a Outgoing, places: &[usize]) {
        *self.last_message += 1;
        let id = *self.last_message;
        let (headers, payload) = (outgoing.headers.as_str(), outgoing.event.payload.as_ref());
        self.messages.push(NewMessage { id, headers, payload });
        for &place in places {
            self.deliveries.entry(place).or_default().push(id);
            self.queues.positions[place].held += 1;
        }
    }

    /// Those whose time has come again before the new ones: they are older, and few.
    async fn claim(&mut self, place: usize, most: usize) -> Result<Reply, sqlx::Error> {
        self.flush().await?;
        let queue = self.queues.get(place).id;
        let position = &mut self.queues.positions[place];
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let now_us = Clock::system().now_us();
        let mut rows = statements::take_due(self.conn, queue, now_us, most).await?;
        let left = most.saturating_sub(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        let mut next_due_us = None;
        if left > 0 {
            let fresh = statements::take_fresh(self.conn, queue, position.cursor, left).await?;
            position.cursor = fresh.last().map_or(position.cursor, |last| last.message);
            rows.extend(fresh);
            next_due_us = statements::next_due(self.conn, queue).await?;
        }
        position.in_hand += rows.len() as u64;
        Ok(Reply::Claimed { queue: place, rows, next_due_us })
    }

    async fn settle(&mut self, settlement: &Settlement) -> Result<(), sqlx::Error> {
        let &Settlement { queue: place, message, ref outcome, .. } = settlement;
        let queue = self.queues.get(place).id;
        let position = &mut self.queues.positions[place];
        position.in_hand = position.in_hand.saturating_sub(1);
        match outcome {
            Outcome::Ack => {
                position.held = position.held.saturating_sub(1);
                self.removals.entry(place).or_default().push(message);
                Ok(())
            }
            Outcome::Retry(due_us) => {
                let due_us = (*due_us).max(1);
                statements::put_back(self.conn, queue, message, due_us, false).await
            }
            Outcome::Release => statements::put_back(self.conn, queue, message, 1, true).await,
            Outcome::Return => statements::put_back(self.conn, queue, message, 1, false).await,
            Outcome::Park(note) => {
                let name = dead_letter_queue(&self.queues.get(place).name);
                // What is parked a second time stays among the dead letters.
                let to = self.queues.place(&name).unwrap_or(place);
                self.queues.positions[place].held -= 1;
                self.queues.positions[to].held += 1;
                let to = self.queues.get(to).id;
                statements::move_to(self.conn, queue, to, message, note).await
            }
        }
    }

    fn depth(&self, queue: &str) -> Reply {
        let waiting = |name: &str| {
            let position = self.queues.place(name).map(|place| self.queues.positions[place]);
            position.map_or(0, |position| position.held.saturating_sub(position.in_hand))
        };
        Reply::Depth(waiting(queue), waiting(&dead_letter_queue(queue)))
    }

    async fn flush(&mut self) -> Result<(), sqlx::Error> {
        if !self.messages.is_empty() {
            statements::insert(self.conn, &std::mem::take(&mut self.messages)).await?;
        }
        for (place, messages) in std::mem::take(&mut self.deliveries) {
            statements::deliver(self.conn, self.queues.get(place).id, &messages).await?;
        }
        let removals = std::mem::take(&mut self.removals);
        for (&place, messages) in &removals {
            statements::remove(self.conn, self.queues.get(place).id, messages).await?;
        }
        let removed: Vec<i64> = removals.into_values().flatten().collect();
        if !removed.is_empty() {
            statements::forget(self.conn, &removed).await?;
        }
        Ok(())
    }
}
