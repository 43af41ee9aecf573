//! Where the tests play: a fresh database of each kind, a clock that stands, and a hand that
//! tampers.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement};
use souk_audit::{Audit, Entry, Filter, NewEntry, Verdict};
use souk_storage::{Database, DatabaseSettings, migrate};
use souk_values::{Clock, Page};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Makes a test of each function, for SQLite and for PostgreSQL.
macro_rules! on_both {
    ($(async fn $name:ident($stage:ident: Stage) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn play($stage: Stage) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                play(Stage::sqlite().await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                play(Stage::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use on_both;

pub(crate) struct Stage {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    pub(crate) audit: Audit,
    settings: DatabaseSettings,
    dir: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn sqlite() -> Self {
        Self::open(DatabaseSettings::default()).await
    }

    pub(crate) async fn postgres() -> Self {
        let server = std::env::var_os("SOUK_TEST_POSTGRES_URL")
            .expect("no PostgreSQL: start with `cargo xtask test`")
            .into_string()
            .unwrap();
        let name = format!("audit_{}", Uuid::new_v4().simple());
        let admin = sea_orm::Database::connect(&server).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        Self::open(DatabaseSettings { url, ..Default::default() }).await
    }

    async fn open(settings: DatabaseSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&settings, dir.path(), "audit").await.unwrap();
        migrate(&db, &[souk_audit::migrations]).await.unwrap();
        let noon: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        let clock = Clock::fixed(noon);
        let audit = Audit::new("shop", db.clone(), clock.clone());
        Self { db, clock, audit, settings, dir }
    }

    /// The audit as another process sees it, with pools of its own.
    pub(crate) async fn beside(&self) -> Audit {
        let db = Database::open(&self.settings, self.dir.path(), "audit").await.unwrap();
        Audit::new("shop", db, self.clock.clone())
    }

    /// Records an entry in a transaction of its own.
    pub(crate) async fn tell(&self, entry: NewEntry) {
        let tx = self.db.begin().await.unwrap();
        self.audit.record(&tx, entry).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A sealed chain of so many rows.
    pub(crate) async fn chain(&self, rows: usize) {
        for n in 0..rows {
            self.tell(price(n)).await;
        }
        assert_eq!(self.audit.seal().await.unwrap(), rows as u64);
    }

    pub(crate) async fn verify(&self) -> Verdict {
        self.audit.verify().await.unwrap()
    }

    /// A chain that holds and has so many rows.
    pub(crate) async fn holds(&self, rows: u64) -> Verdict {
        let verdict = self.verify().await;
        assert_eq!((&verdict.breaches[..], verdict.broken), (&[][..], 0));
        assert_eq!(verdict.rows, rows);
        verdict
    }

    /// Does behind the audit's back what somebody with the database's password could.
    pub(crate) async fn tamper(&self, sql: &str) {
        assert!(self.run(sql).await > 0, "{sql} does nothing");
    }

    /// Answers how many rows it touched.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        let backend = self.db.write().get_database_backend();
        let done = self.db.write().execute_raw(Statement::from_string(backend, sql)).await;
        done.unwrap().rows_affected()
    }

    /// Newest first.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        self.listed(Filter::default()).await
    }

    pub(crate) async fn listed(&self, filter: Filter) -> Vec<Entry> {
        let page = Page::new(100, "").unwrap();
        self.audit.list(&filter, &page).await.unwrap().0
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(chrono::Duration::seconds(seconds));
    }
}

pub(crate) fn price(n: usize) -> NewEntry {
    NewEntry::new("product.changed", format!("product/{n}"))
        .actor("usr_1")
        .address("192.0.2.0")
        .change("price", n, n + 1)
}

/// The audit at work in the background.
pub(crate) struct Running {
    task: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

pub(crate) fn start(audit: &Audit) -> Running {
    let stop = CancellationToken::new();
    Running { task: tokio::spawn(audit.clone().run(stop.clone())), stop }
}

impl Running {
    /// Vanishes without a word, as a killed process does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }
}

/// Waits until `found` answers something; at most 20 s.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..2_000 {
        ticks.tick().await;
        if let Some(found) = found().await {
            return found;
        }
    }
    panic!("never happened: {what}");
}
