//! Runs a handler over a queue: inbox and effect in one transaction, then the acknowledgement.
use std::sync::Arc;

use souk_storage::{Database, Tx};
use tokio_util::sync::CancellationToken;

use crate::{Bus, Envelope};

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
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Failed(error.into())
    }
}

/// What a service does about the events of one queue.
#[async_trait::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What `prepare` found out.
    type Ready: Send;
    /// Calls to neighbours, before and outside of the transaction.
    async fn prepare(&self, events: &[Envelope]) -> Result<Self::Ready, HandleError>;
    /// The effect, inside the transaction that also holds the inbox rows. `events` are one or more that the inbox has
    /// not seen; when a batch fails, each is tried alone.
    async fn handle(&self, tx: &Tx, events: &[Envelope], ready: Self::Ready) -> Result<(), HandleError>;
    /// After the commit: wake somebody.
    fn committed(&self) {}
}

/// A queue with its handler, ready to be run by the frame.
#[derive(Clone)]
pub struct Consumer {
    pub queue: &'static str,
    pub prefetch: u16,
}

impl Consumer {
    pub fn new<H: Handler>(_queue: &'static str, _prefetch: u16, _handler: H) -> Self {
        todo!()
    }
    /// Until `stop`; what is in hand is finished, what is not begun goes back.
    pub async fn run(self, _db: Database, _bus: Arc<dyn Bus>, _stop: CancellationToken) {
        todo!()
    }
}
