//! A process: any number of services over one frame, from settings to exit code.
//!
//! Start: settings → lock → databases and migrations → services in the order of the call graph
//! → ports → work.
//!
//! Stop: not ready → doors close and drain → consumers, jobs and tasks finish → audits are sealed
//! → relays publish the rest.
mod blueprint;
mod build;
mod ports;
mod run;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use souk_audit::Audit;
use souk_cache::Cache;
use souk_events::Bus;
use souk_rpc::{Guarded, Identity, Transport};
use souk_storage::Database;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use blueprint::{Blueprint, blueprint};

use crate::lock::DataLock;
use crate::personal::Keeper;

/// The order in which services are built: nobody asks one that comes later.
pub const ORDER: [&str; 6] = ["accounts", "catalog", "analytics", "orders", "notifier", "gateway"];

/// A started process.
pub struct House {
    built: BTreeMap<&'static str, Built>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    operator: Identity,
    bus: Arc<dyn Bus>,
    cache: Cache,
    phases: Phases,
    tasks: Tasks,
    ready: Arc<crate::health::Readiness>,
    delay: std::time::Duration,
    drain: std::time::Duration,
    /// The way to accounts, by which the verifier asks for public keys.
    _keys: Arc<OnceLock<Transport>>,
    /// The ways by which jobs of accounts ask for what is kept of people.
    _keepers: Arc<OnceLock<Vec<Keeper>>>,
    _lock: Option<DataLock>,
}

/// One service of the process.
pub(crate) struct Built {
    pub(crate) guarded: Guarded,
    pub(crate) db: Option<Database>,
    pub(crate) audit: Option<Audit>,
}

/// What is told to stop, in this order.
#[derive(Clone, Default)]
pub(crate) struct Phases {
    /// Readiness and doors.
    pub(crate) doors: CancellationToken,
    /// Consumers, jobs, schedules, tasks.
    pub(crate) work: CancellationToken,
    /// Notes and seals of audits.
    pub(crate) audits: CancellationToken,
    /// Relays.
    pub(crate) relays: CancellationToken,
}

#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) doors: TaskTracker,
    pub(crate) work: TaskTracker,
    pub(crate) audits: TaskTracker,
    pub(crate) relays: TaskTracker,
}

impl House {
    /// Where a listener answers; with port 0 in the settings this is how to learn the port.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(listener).copied()
    }

    /// The operator's way to a service of this process.
    pub fn transport(&self, to: &'static str) -> Option<Transport> {
        let built = self.built.get(to)?;
        Some(Transport::local(to, built.guarded.clone(), self.operator.clone()))
    }

    /// The audit of a service of this process; for operator commands and checks.
    pub fn audit(&self, of: &str) -> Option<Audit> {
        self.built.get(of)?.audit.clone()
    }

    /// The database of a service of this process; for operator commands and checks.
    pub fn database(&self, of: &str) -> Option<Database> {
        self.built.get(of)?.db.clone()
    }

    pub fn bus(&self) -> Arc<dyn Bus> {
        self.bus.clone()
    }

    pub fn cache(&self) -> Cache {
        self.cache.clone()
    }

    /// Names of the services of this process.
    pub fn services(&self) -> Vec<&'static str> {
        self.built.keys().copied().collect()
    }
}
