//! Whether the process can work: asked by load balancers, and by `souk health`.
use std::sync::atomic::{AtomicBool, Ordering};

use souk_cache::Cache;
use souk_events::Bus;
use souk_storage::Database;
use std::sync::Arc;

/// What readiness looks at.
pub struct Readiness {
    pub(crate) databases: Vec<(&'static str, Database)>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) cache: Cache,
    pub(crate) started: AtomicBool,
    pub(crate) stopping: AtomicBool,
}

/// One part of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHealth {
    pub name: String,
    pub works: bool,
    /// False: the shop goes on without it for a while (bus, cache), so it does not make the process
    /// unready.
    pub needed: bool,
}

impl Readiness {
    /// Every part; the process is ready when all needed ones work.
    pub async fn parts(&self) -> Vec<PartHealth> {
        let serving = self.started.load(Ordering::SeqCst) && !self.stopping.load(Ordering::SeqCst);
        let part = |name: String, works, needed| PartHealth { name, works, needed };
        let mut parts = vec![part("serving".to_owned(), serving, true)];
        for (name, db) in &self.databases {
            parts.push(part(format!("database.{name}"), db.ping().await.is_ok(), true));
        }
        // an unreachable bus costs nothing but delay: events wait in the outboxes
        parts.push(part("bus".to_owned(), self.bus.ping().await.is_ok(), false));
        parts.push(part("cache".to_owned(), self.cache.ping().await.is_ok(), false));
        parts
    }

    /// Without asking anybody: started and not stopping.
    pub fn is_serving(&self) -> bool {
        self.started.load(Ordering::SeqCst) && !self.stopping.load(Ordering::SeqCst)
    }
}
