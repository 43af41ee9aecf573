//! What was declared, to be declared again whenever a connection begins: a broker may come back
//! empty.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use lapin::Connection;
use tracing::error;

use super::address::Names;
use super::{away, topology};
use crate::QueueSpec;
use crate::bus::BusError;

pub(super) struct Declared {
    names: Names,
    queues: Mutex<BTreeMap<&'static str, QueueSpec>>,
}

impl Declared {
    pub(super) fn new(names: Names) -> Self {
        Self { names, queues: Mutex::default() }
    }

    pub(super) fn add(&self, queues: &[QueueSpec]) {
        let mut known = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(queues.iter().map(|&queue| (queue.name, queue)));
    }

    /// Declares everything. A declaration that the broker refuses (other arguments than the queue
    /// has) is reported and stops nobody from publishing.
    pub(super) async fn on(&self, connection: &Connection) -> Result<(), BusError> {
        match self.declare(connection, None).await {
            Err(BusError::Refused(reason)) => {
                error!(reason, "bus topology refused");
                Ok(())
            }
            result => result,
        }
    }

    /// Declares one queue, or all.
    pub(super) async fn declare(
        &self,
        connection: &Connection,
        only: Option<&str>,
    ) -> Result<(), BusError> {
        let queues: Vec<QueueSpec> = {
            let known = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().filter(|q| only.is_none_or(|name| q.name == name)).copied().collect()
        };
        // A refused declaration closes its channel: it gets one of its own.
        let channel = connection.create_channel().await.map_err(away)?;
        match topology::declare(&channel, &self.names, &queues).await {
            Err(error) if connection.status().connected() => {
                Err(BusError::Refused(error.to_string()))
            }
            result => result.map_err(away),
        }
    }
}
