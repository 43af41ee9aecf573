//! Publishes what is committed: all unsent rows, one message per partition key in flight, one
//! relay a service.
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use souk_storage::Database;
use tokio_util::sync::CancellationToken;

use crate::{Bus, Outbox, outbox};

mod cycle;
mod seat;

use cycle::Turn;
use seat::Seat;

/// Between two looks when nobody wakes the relay.
const POLL: Duration = Duration::from_secs(1);
/// First and longest pause while bus or database are away.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// For what is left when the process stops.
const FAREWELL: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The publisher of one service's outbox. Any number may run; on PostgreSQL one of them leads.
pub struct Relay {
    db: Database,
    bus: Arc<dyn Bus>,
    outbox: Outbox,
    /// What was told last, so that an outage is one log line.
    away: bool,
    measured: Option<Instant>,
    pruned: Option<Instant>,
}

impl Relay {
    pub fn new(db: Database, bus: Arc<dyn Bus>, outbox: Outbox) -> Self {
        Self { db, bus, outbox, away: false, measured: None, pruned: None }
    }

    /// Until `stop`: then publishes what is still there, for at most 5 s.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut seat = Seat::new(&self.db, self.outbox.service());
        let mut pause = PAUSE.0;
        while !stop.is_cancelled() {
            let mut standby = false;
            let (wait, trouble) = match self.turn(&mut seat).await {
                Ok(Turn::Full) => (Duration::ZERO, false),
                Ok(Turn::Idle) => (about(POLL), false),
                Ok(Turn::Standby) => {
                    standby = true;
                    (about(POLL), false)
                }
                Ok(Turn::Failed(soonest)) => (soonest.min(POLL), false),
                Ok(Turn::Away) => (about(pause), true),
                Err(error) => {
                    let service = self.outbox.service();
                    tracing::warn!(service, error = %error, "outbox failed");
                    seat.leave();
                    (about(pause), true)
                }
            };
            pause = if trouble { (pause * 2).min(PAUSE.1) } else { PAUSE.0 };
            if wait.is_zero() {
                continue;
            }
            let woken = async {
                // what is away does not come back because there is one event more
                if trouble { std::future::pending().await } else { self.outbox.woken().await }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                () = seat.heard(), if !trouble => {}
                () = woken => {
                    if standby && let Err(error) = seat.nudge().await {
                        tracing::debug!(error = %error, "leader not told");
                    }
                }
            }
        }
        self.farewell(&mut seat).await;
        seat.close().await;
    }

    async fn turn(&mut self, seat: &mut Seat) -> Result<Turn, DbErr> {
        if !seat.take().await? {
            return Ok(Turn::Standby);
        }
        let turn = cycle::run(seat, &*self.bus, &self.outbox).await?;
        self.tell_away(matches!(turn, Turn::Away));
        if self.measured.is_none_or(|at| at.elapsed() >= POLL) {
            self.measured = Some(Instant::now());
            self.measure(seat).await?;
        }
        if matches!(turn, Turn::Idle) && self.pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            let gone = outbox::prune(&self.db, self.outbox.clock()).await?;
            // a full slice: the next one with the next idle turn
            self.pruned = (gone == 0).then(Instant::now);
        }
        Ok(turn)
    }

    async fn farewell(&mut self, seat: &mut Seat) {
        let rest =
            async { while matches!(self.turn(seat).await, Ok(Turn::Full | Turn::Failed(_))) {} };
        if tokio::time::timeout(FAREWELL, rest).await.is_err() {
            tracing::warn!(service = self.outbox.service(), "stopped with unsent events");
        }
    }

    async fn measure(&self, seat: &mut Seat) -> Result<(), DbErr> {
        let sql = "SELECT (SELECT COUNT(*) FROM outbox) AS backlog, \
                   (SELECT created_at FROM outbox ORDER BY seq LIMIT 1) AS oldest";
        let backend = seat.read().get_database_backend();
        let row = seat.read().query_one_raw(Statement::from_string(backend, sql)).await?;
        let Some(row) = row else { return Ok(()) };
        let backlog: i64 = row.try_get("", "backlog")?;
        let oldest: Option<chrono::DateTime<chrono::Utc>> = row.try_get("", "oldest")?;
        let age = oldest.map_or(0, |at| (self.outbox.clock().now() - at).num_milliseconds());
        let service = self.outbox.service();
        metrics::gauge!("outbox_backlog", "service" => service).set(backlog as f64);
        metrics::gauge!("outbox_oldest_seconds", "service" => service).set(age as f64 / 1000.0);
        Ok(())
    }

    fn tell_away(&mut self, away: bool) {
        let service = self.outbox.service();
        match (self.away, away) {
            (false, true) => tracing::warn!(service, "bus away, events wait in the outbox"),
            (true, false) => tracing::info!(service, "bus is back"),
            _ => {}
        }
        self.away = away;
    }
}

/// ±20 %, so that many processes do not ask in step.
fn about(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.8..1.2))
}
