//! What a service is made of, and what it may use.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use souk_audit::Audit;
use souk_auth::{MethodTable, Verifier};
use souk_cache::Cache;
use souk_events::{Bus, Consumer, Outbox};
use souk_jobs::{JobHandler, Jobs};
use souk_rpc::Transport;
use souk_storage::{Database, Migrations};
use souk_values::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::Readiness;
use crate::personal::{Keepers, PersonalData};
use crate::{Invariant, Settings, Validate};

/// One of the six: how it is built from its settings and the frame.
pub trait Service: Send + Sync + 'static {
    /// "catalog"; also the name of its database, settings section and queue prefix.
    const NAME: &'static str;
    /// Names of the services it calls.
    const ASKS: &'static [&'static str];
    type Config: DeserializeOwned + Default + Validate + Send + Sync + 'static;

    /// The service's own tables; empty for one without a database.
    fn migrations() -> Migrations;
    /// False: no database, outbox, jobs (gateway).
    const KEEPS: bool = true;
    fn build(frame: Frame, config: Self::Config) -> BoxFuture<'static, anyhow::Result<Parts>>;
}

/// What a built service hands to the frame to run.
#[derive(Default)]
pub struct Parts {
    pub grpc: Option<tonic::service::Routes>,
    pub methods: MethodTable,
    pub consumers: Vec<Consumer>,
    pub jobs: Vec<Arc<dyn JobHandler>>,
    pub schedules: Vec<Schedule>,
    /// Long-running tasks by name: each gets a token that tells it to finish.
    pub tasks: Vec<(&'static str, Task)>,
    /// What must always hold of the service's data, for `souk verify`.
    pub invariants: Vec<Invariant>,
    /// What the service keeps of people, to be handed over and erased; `None`: nothing but its audit.
    pub personal: Option<Arc<dyn PersonalData>>,
    /// HTTP listeners (gateway).
    pub listeners: Vec<Listener>,
}

/// Work that goes on until its token is cancelled.
pub type Task = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// An HTTP server of a service: the frame binds, the service serves until told to stop.
pub struct Listener {
    pub name: &'static str,
    pub address: SocketAddr,
    pub serve: Serve,
}

/// Serves a bound socket; on stop accepts no more, finishes what is in flight and ends.
pub type Serve = Box<dyn FnOnce(TcpListener, CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// Repeated work of a service.
pub struct Schedule {
    pub name: &'static str,
    pub every: Duration,
    pub run: Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>,
}

/// What a service may use. Cheap to clone.
#[derive(Clone)]
pub struct Frame {
    pub(crate) inner: Arc<FrameInner>,
}

pub(crate) struct FrameInner {
    pub(crate) name: &'static str,
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    pub(crate) db: Option<Database>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) outbox: Outbox,
    pub(crate) jobs: Option<Jobs>,
    pub(crate) audit: Option<Audit>,
    pub(crate) cache: Cache,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) transports: HashMap<&'static str, Transport>,
    pub(crate) keepers: Keepers,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) stop: CancellationToken,
}

impl Frame {
    pub fn name(&self) -> &'static str {
        self.inner.name
    }
    /// The settings all services share.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
    pub fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }
    /// The service's own database.
    pub fn db(&self) -> anyhow::Result<Database> {
        self.inner.db.clone().ok_or_else(|| anyhow::anyhow!("{} has no database", self.inner.name))
    }
    pub fn bus(&self) -> Arc<dyn Bus> {
        self.inner.bus.clone()
    }
    pub fn outbox(&self) -> Outbox {
        self.inner.outbox.clone()
    }
    pub fn jobs(&self) -> anyhow::Result<Jobs> {
        self.inner.jobs.clone().ok_or_else(|| anyhow::anyhow!("{} has no jobs", self.inner.name))
    }
    /// Who did what in this service. The frame seals, trims and serves it.
    pub fn audit(&self) -> anyhow::Result<Audit> {
        self.inner.audit.clone().ok_or_else(|| anyhow::anyhow!("{} has no audit", self.inner.name))
    }
    pub fn cache(&self) -> Cache {
        self.inner.cache.clone()
    }
    pub fn verifier(&self) -> Arc<Verifier> {
        self.inner.verifier.clone()
    }
    /// The way to a neighbour named in `Service::ASKS`.
    pub fn transport(&self, to: &str) -> anyhow::Result<Transport> {
        let found = self.inner.transports.get(to).cloned();
        found.ok_or_else(|| anyhow::anyhow!("{} does not ask {to}", self.inner.name))
    }
    /// The ways to every service that keeps something of people; for the jobs of accounts only.
    pub fn keepers(&self) -> Keepers {
        self.inner.keepers.clone()
    }
    /// Where the service may keep files; created on first use.
    pub fn files_dir(&self) -> PathBuf {
        self.inner.settings.files_dir().join(self.inner.name)
    }
    /// Cancelled when the process is told to stop.
    pub fn stop(&self) -> CancellationToken {
        self.inner.stop.clone()
    }
    /// Whether the process can work.
    pub fn readiness(&self) -> Arc<Readiness> {
        self.inner.readiness.clone()
    }
}
