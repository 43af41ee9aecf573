//! Dead letters of a service's queues, drained from the bus into a table: list, show, replay, drop.
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use souk_storage::Database;
use souk_values::{DeadLetterId, Page};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Bus, Envelope};

#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub queue: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub subject: String,
    pub reason: String,
    pub attempts: u32,
    pub parked_at: DateTime<Utc>,
    /// parked, replayed, dropped
    pub status: String,
    pub envelope: Envelope,
    pub headers: BTreeMap<String, String>,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("there is no such dead letter")]
    NotFound,
    #[error("the dead letter was already {0}")]
    Decided(String),
    #[error(transparent)]
    Bus(#[from] crate::BusError),
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
}

/// The dead letters of one service.
#[derive(Clone)]
pub struct DeadLetters {}

impl DeadLetters {
    pub fn new(_db: Database, _bus: Arc<dyn Bus>, _clock: souk_values::Clock) -> Self {
        todo!()
    }
    /// Newest first; `status` empty means parked. The second value is the next cursor.
    pub async fn list(&self, _status: &str, _page: &Page) -> Result<(Vec<DeadLetter>, Option<souk_values::Cursor>), DeadLetterError> {
        todo!()
    }
    pub async fn get(&self, _id: DeadLetterId) -> Result<DeadLetter, DeadLetterError> {
        todo!()
    }
    pub async fn replay(&self, _id: DeadLetterId, _by: &str) -> Result<DeadLetter, DeadLetterError> {
        todo!()
    }
    pub async fn drop(&self, _id: DeadLetterId, _by: &str) -> Result<DeadLetter, DeadLetterError> {
        todo!()
    }
    /// Drains the dead letters of `queues` into the table until `stop`.
    pub async fn run(self, _queues: Vec<&'static str>, _stop: CancellationToken) {
        todo!()
    }
}
