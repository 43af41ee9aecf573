//! Publishes what is committed: all unsent rows, one message per partition key in flight, one relay a service.
use std::sync::Arc;

use souk_storage::Database;
use tokio_util::sync::CancellationToken;

use crate::{Bus, Outbox};

pub struct Relay {}

impl Relay {
    pub fn new(_db: Database, _bus: Arc<dyn Bus>, _outbox: Outbox) -> Self {
        todo!()
    }
    /// Until `stop`: then publishes what is still there, for at most a few seconds.
    pub async fn run(self, _stop: CancellationToken) {
        todo!()
    }
}
