//! What must always hold of a service's data, checked on demand by `souk verify`.
use std::sync::Arc;

use futures::future::BoxFuture;
use souk_events::outbox::audit;
use souk_proto::operations::v1::{Breach, Check};
use souk_storage::Database;

/// Breaches that are named; more are counted.
const NAMED: usize = 100;

/// What a check found.
#[derive(Debug, Default)]
pub struct Found {
    /// Things looked at.
    pub looked_at: u64,
    /// What is broken: the subject (`order/ord_…`) and what is wrong with it.
    pub breaches: Vec<(String, String)>,
}

impl Found {
    pub fn of(looked_at: usize) -> Self {
        Self { looked_at: looked_at as u64, breaches: Vec::new() }
    }

    pub fn breach(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.breaches.push((subject.into(), detail.into()));
    }
}

/// One invariant of a service, such as "reserved units equal held reservations".
#[derive(Clone)]
pub struct Invariant {
    /// "I01".
    pub name: &'static str,
    /// One sentence: what must hold.
    pub title: &'static str,
    pub check: Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<Found>> + Send + Sync>,
}

impl Invariant {
    pub fn new<F>(
        name: &'static str,
        title: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = anyhow::Result<Found>> + Send + 'static,
    {
        Self { name, title, check: Arc::new(move || Box::pin(check())) }
    }
}

/// What holds in every service that tells events.
pub(crate) fn of_every_service(db: &Database) -> Invariant {
    let db = db.clone();
    let title = "every version of every aggregate is told by exactly one event";
    Invariant::new("I10", title, move || {
        let db = db.clone();
        async move {
            let (looked_at, gaps) = audit::gaps(&db).await?;
            let mut found = Found { looked_at, breaches: Vec::new() };
            for gap in gaps {
                let detail = format!(
                    "{} events tell {} versions between {} and {}",
                    gap.events, gap.versions, gap.first, gap.last
                );
                found.breach(gap.subject, detail);
            }
            Ok(found)
        }
    })
}

/// Runs the invariant and makes it an answer.
pub(crate) async fn run(invariant: &Invariant) -> anyhow::Result<Check> {
    let mut found = (invariant.check)().await?;
    let broken = found.breaches.len() as u64;
    found.breaches.truncate(NAMED);
    let breaches =
        found.breaches.into_iter().map(|(subject, detail)| Breach { subject, detail }).collect();
    Ok(Check {
        invariant: invariant.name.to_owned(),
        title: invariant.title.to_owned(),
        looked_at: found.looked_at,
        breaches,
        broken,
    })
}
