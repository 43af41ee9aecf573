//! Events waiting to be published: rows written in the transaction of the change they tell of.
use std::sync::Arc;

use sea_orm::DbErr;
use souk_storage::Tx;
use souk_values::Clock;

use crate::{Envelope, NewEvent};

/// The outbox of one service. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    _wake: Arc<tokio::sync::Notify>,
}

impl Outbox {
    pub fn new(_service: &'static str, _clock: Clock) -> Self {
        todo!()
    }
    /// Writes the events into the transaction, in order. Takes request id and traceparent from the current span.
    /// Refuses payloads over 64 KiB. Answers the envelopes as they will be sent.
    pub async fn append(&self, _tx: &Tx, _events: Vec<NewEvent>) -> Result<Vec<Envelope>, DbErr> {
        todo!()
    }
    /// To be called after the commit: wakes the relay.
    pub fn wake(&self) {
        todo!()
    }
}
