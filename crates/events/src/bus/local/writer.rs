//! The only task that touches `bus.db`: gathers what many tasks ask for, commits it once, answers
//! all.
//!
//! While one group is being written to the disk the next one gathers by itself, so the number of
//! commits follows the disk and not the number of events.
use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::mpsc;
use tracing::warn;

use super::command::{Claimed, Claims, Command, Found, Outcome, Settlement};
use super::queues::Queues;
use super::statements;
use super::subscriptions::Subscriptions;
use super::ticket::Ticket;
use super::transaction::{Reply, Transaction};
use crate::bus::BusError;

const MOST_COMMANDS: usize = 1024;
/// How long acknowledgements wait for company.
const LAZY: Duration = Duration::from_millis(10);
const AFTER_A_FAILURE: Duration = Duration::from_millis(500);

pub(super) struct WriterTask {
    conn: SqliteConnection,
    queues: Queues,
    subscriptions: Subscriptions,
    last_message: i64,
    commands: mpsc::UnboundedReceiver<Command>,
    /// For the tickets; weak, so that the task ends when everybody else has let go.
    itself: mpsc::WeakUnboundedSender<Command>,
    /// Settlements of a group that could not be committed: nobody else would repeat them.
    carried: Vec<Command>,
    _lock: File,
}

impl WriterTask {
    pub(super) async fn new(
        mut conn: SqliteConnection,
        commands: mpsc::UnboundedReceiver<Command>,
        itself: mpsc::WeakUnboundedSender<Command>,
        lock: File,
    ) -> Result<Self, sqlx::Error> {
        let queues = Queues::load(&mut conn).await?;
        let last_message = statements::last_message(&mut conn).await?;
        let subscriptions = Subscriptions::default();
        let carried = Vec::new();
        Ok(Self {
            conn,
            queues,
            subscriptions,
            last_message,
            commands,
            itself,
            carried,
            _lock: lock,
        })
    }

    pub(super) async fn run(mut self) {
        while let Some(group) = self.gather().await {
            self.work(group).await;
        }
        if !self.carried.is_empty() {
            let group = std::mem::take(&mut self.carried);
            self.work(group).await;
        }
        if let Err(error) = self.conn.close().await {
            warn!(%error, "bus file not closed cleanly");
        }
    }

    async fn gather(&mut self) -> Option<Vec<Command>> {
        let mut group = std::mem::take(&mut self.carried);
        if group.is_empty() {
            group.push(self.commands.recv().await?);
        } else {
            tokio::time::sleep(AFTER_A_FAILURE).await;
        }
        self.drain(&mut group);
        if group.iter().all(is_lazy) {
            let _ = tokio::time::timeout(LAZY, self.await_urgent(&mut group)).await;
        }
        Some(group)
    }

    fn drain(&mut self, group: &mut Vec<Command>) {
        while group.len() < MOST_COMMANDS
            && let Ok(command) = self.commands.try_recv()
        {
            group.push(command);
        }
    }

    async fn await_urgent(&mut self, group: &mut Vec<Command>) {
        while group.len() < MOST_COMMANDS
            && let Some(command) = self.commands.recv().await
        {
            let urgent = !is_lazy(&command);
            group.push(command);
            if urgent {
                return self.drain(group);
            }
        }
    }

    async fn work(&mut self, group: Vec<Command>) {
        let (snapshot, last_message) = (self.queues.snapshot(), self.last_message);
        match self.transact(&group).await {
            Ok(replies) => self.answer(group, replies),
            Err(error) => {
                warn!(%error, commands = group.len(), "bus transaction failed");
                // Fails when it was SQLite that rolled back.
                let _ = statements::run(&mut self.conn, "ROLLBACK").await;
                self.queues.restore(snapshot);
                self.last_message = last_message;
                self.refuse(group, &error);
            }
        }
    }

    async fn transact(&mut self, group: &[Command]) -> Result<Vec<Reply>, sqlx::Error> {
        let mut transaction = Transaction::begin(
            &mut self.conn,
            &mut self.queues,
            &mut self.subscriptions,
            &mut self.last_message,
        )
        .await?;
        let mut replies = Vec::with_capacity(group.len());
        for command in group {
            replies.push(transaction.apply(command).await?);
        }
        transaction.commit().await?;
        Ok(replies)
    }

    /// A failed send only means that whoever asked has left.
    fn answer(&mut self, group: Vec<Command>, replies: Vec<Reply>) {
        let mut woken = BTreeSet::new();
        for (command, reply) in group.into_iter().zip(replies) {
            match (command, reply) {
                (Command::Publish { events, done, permit }, Reply::Published(results)) => {
                    for (outgoing, result) in events.iter().zip(&results) {
                        if result.is_ok() {
                            woken.extend(self.queues.route(outgoing.event.routing_key()).iter());
                            self.subscriptions.tell(&outgoing.event);
                        }
                    }
                    drop(permit);
                    let _ = done.send(results);
                }
                (Command::SendTo { queue, done, .. }, Reply::Done(result)) => {
                    woken.extend(self.queues.place(&queue));
                    let _ = done.send(result);
                }
                (Command::Settle(settlement), Reply::Done(result)) => {
                    let Settlement { queue, outcome, done, .. } = settlement;
                    self.note_settled(queue, &outcome, &mut woken);
                    if let Some(done) = done {
                        let _ = done.send(result);
                    }
                }
                (Command::Find { queue, done }, Reply::Found(place)) => {
                    let found = place.map(|place| {
                        let wake = self.queues.get(place).wake.subscribe();
                        Found { queue: place, wake }
                    });
                    let missing = || BusError::Refused(format!("no queue {queue}"));
                    let _ = done.send(found.ok_or_else(missing));
                }
                (Command::Claim { done, .. }, Reply::Claimed { queue, rows, next_due_us }) => {
                    let claims = rows.into_iter().filter_map(|row| self.ticketed(queue, row));
                    let _ = done.send(Ok(Claims { rows: claims.collect(), next_due_us }));
                }
                (Command::Subscribe { done, .. }, Reply::Subscribed(heard)) => {
                    let _ = done.send(Ok(heard));
                }
                (Command::Depth { done, .. }, Reply::Depth(waiting, dead)) => {
                    let _ = done.send(Ok((waiting, dead)));
                }
                (Command::Declare { done, .. } | Command::Ping { done }, Reply::Done(result)) => {
                    let _ = done.send(result);
                }
                // `apply` gives each command its kind of reply.
                _ => {}
            }
        }
        for place in woken {
            self.queues.wake(place);
        }
    }

    fn note_settled(&self, place: usize, outcome: &Outcome, woken: &mut BTreeSet<usize>) {
        match outcome {
            Outcome::Ack => {}
            Outcome::Park(_) => {
                let dead = crate::bus::dead_letter_queue(&self.queues.get(place).name);
                woken.insert(self.queues.place(&dead).unwrap_or(place));
            }
            Outcome::Retry(_) | Outcome::Release | Outcome::Return => {
                woken.insert(place);
            }
        }
    }

    /// Without a ticket when nobody is left to answer it; then the claim is void with this process.
    fn ticketed(&self, queue: usize, row: statements::Taken) -> Option<Claimed> {
        let attempt = row.attempts + 1;
        let ticket = Ticket::new(self.itself.upgrade()?, queue, row.message, attempt);
        let statements::Taken { headers, payload, note, .. } = row;
        Some(Claimed { headers, payload, attempt, note, ticket })
    }

    fn refuse(&mut self, group: Vec<Command>, error: &sqlx::Error) {
        let away = || BusError::Away(error.to_string().into());
        for command in group {
            match command {
                Command::Settle(_) => self.carried.push(command),
                Command::Publish { events, done, .. } => {
                    let _ = done.send(events.iter().map(|_| Err(away())).collect());
                }
                Command::Declare { done, .. }
                | Command::SendTo { done, .. }
                | Command::Ping { done } => {
                    let _ = done.send(Err(away()));
                }
                Command::Find { done, .. } => {
                    let _ = done.send(Err(away()));
                }
                Command::Claim { done, .. } => {
                    let _ = done.send(Err(away()));
                }
                Command::Subscribe { done, .. } => {
                    let _ = done.send(Err(away()));
                }
                Command::Depth { done, .. } => {
                    let _ = done.send(Err(away()));
                }
            }
        }
    }
}

/// Nobody waits for it.
fn is_lazy(command: &Command) -> bool {
    matches!(command, Command::Settle(Settlement { done: None, outcome: Outcome::Ack, .. }))
}
