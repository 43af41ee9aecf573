//! Runs a handler over a queue: inbox and effect in one transaction, then the acknowledgement.
use std::sync::Arc;
use std::time::Duration;

use souk_storage::{Database, Tx};
use souk_values::Clock;
use tokio_util::sync::CancellationToken;

use crate::{Bus, Envelope};

mod attempt;
mod company;
mod inbox;
mod outcome;
mod run;

use attempt::Attempt;
pub use inbox::{prune, unseen};

/// How long an event that was done is known, so that a dead letter replayed weeks later has no
/// second effect.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why a handler could not handle.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Something it needs is away: again later, as often as it takes; the consumer pauses.
    #[error("later: {0}")]
    Later(#[source] anyhow::Error),
    /// Counts as an attempt; parked after 8.
    #[error("failed: {0}")]
    Failed(#[source] anyhow::Error),
    /// Will never succeed (cannot be decoded, unknown version): parked at once.
    #[error("poisoned: {0}")]
    Poisoned(String),
}

impl From<sea_orm::DbErr> for HandleError {
    /// A database that is away, full or busy is [`Later`](Self::Later).
    fn from(error: sea_orm::DbErr) -> Self {
        if outcome::passes(&error) { Self::Later(error.into()) } else { Self::Failed(error.into()) }
    }
}

/// What a service does about the events of one queue.
#[async_trait::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What `prepare` found out.
    type Ready: Send;
    /// Calls to neighbours, before and outside of the transaction. May see events that were done
    /// before.
    async fn prepare(&self, events: &[Envelope]) -> Result<Self::Ready, HandleError>;
    /// The effect, inside the transaction that also holds the inbox rows. `events` are one or more
    /// that the inbox has not seen; when a batch fails, each is tried alone.
    async fn handle(
        &self,
        tx: &Tx,
        events: &[Envelope],
        ready: Self::Ready,
    ) -> Result<(), HandleError>;
    /// After the commit: wake somebody.
    fn committed(&self) {}
}

/// A queue with its handler, ready to be run by the frame.
#[derive(Clone)]
pub struct Consumer {
    pub queue: &'static str,
    pub prefetch: u16,
    clock: Clock,
    work: Arc<dyn Attempt>,
}

impl Consumer {
    /// `prefetch`: most messages in hand, and so the largest batch.
    pub fn new<H: Handler>(queue: &'static str, prefetch: u16, handler: H) -> Self {
        Self { queue, prefetch: prefetch.max(1), clock: Clock::system(), work: Arc::new(handler) }
    }

    /// With another clock than the machine's.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Until `stop`; what is in hand is finished, what is not begun goes back.
    pub async fn run(self, db: Database, bus: Arc<dyn Bus>, stop: CancellationToken) {
        run::Run::new(self, db).until(&*bus, &stop).await;
    }
}
