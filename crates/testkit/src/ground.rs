//! Where a crate that keeps rows plays: a database of each test's own, on either kind of store, and
//! a clock that stands.
use std::future::Future;
use std::path::Path;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use souk_storage::{Database, DatabaseSettings, Migrations, migrate};
use souk_values::Clock;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::storehouse::{Backend, server};

/// For what stops, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(180);

/// A fresh database with its tables, at noon; removed when dropped.
pub struct Ground {
    pub db: Database,
    /// Stands until it is moved.
    pub clock: Clock,
    service: &'static str,
    settings: DatabaseSettings,
    /// On the server.
    name: Option<String>,
    dir: TempDir,
}

impl Ground {
    /// Fails the test when a server that it needs was not started.
    pub async fn new(backend: Backend, service: &'static str, tables: &[Migrations]) -> Self {
        let mut settings = DatabaseSettings::default();
        let mut name = None;
        if backend == Backend::Servers {
            let own = format!("{service}_{}", Uuid::new_v4().simple());
            let server = server("SOUK_TEST_POSTGRES_URL");
            on(&server, &format!("CREATE DATABASE {own}")).await.expect("a database is created");
            let (host, _) = server.rsplit_once('/').expect("a database in the URL");
            settings.url = format!("{host}/{own}");
            name = Some(own);
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&settings, dir.path(), service).await.expect("it opens");
        migrate(&db, tables).await.expect("its tables are made");
        let noon: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().expect("a time");
        Self { db, clock: Clock::fixed(noon), service, settings, name, dir }
    }

    /// The database as another process sees it: pools of their own.
    pub async fn beside(&self) -> Database {
        Database::open(&self.settings, self.dir.path(), self.service).await.expect("it opens")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let server = server("SOUK_TEST_POSTGRES_URL");
        // a runtime of its own: this one may be ending
        let cleaner = thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
            {
                let gone = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = runtime.block_on(on(&server, &gone));
            }
        });
        let _ = cleaner.join();
    }
}

async fn on(server: &str, sql: &str) -> Result<(), sea_orm::DbErr> {
    let admin = sea_orm::Database::connect(server).await?;
    admin.execute_unprepared(sql).await?;
    admin.close().await
}

/// Something at work in the background.
pub struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    /// Starts what works until the token is cancelled.
    pub fn start<F: Future<Output = ()> + Send + 'static>(
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(work(stop.clone())), stop }
    }

    /// Vanishes without a word, as a killed process does.
    pub async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()), "it had ended before");
    }

    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("it stops").expect("without a panic");
    }
}

/// Makes two tests of each function, `name::on_sqlite` and `name::on_postgres`. The stage is made
/// by its `async fn on(backend: Backend) -> Self`.
#[macro_export]
macro_rules! on_both {
    ($(async fn $name:ident($stage:ident: $Stage:ty) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn play($stage: $Stage) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                play(<$Stage>::on($crate::Backend::Default).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                play(<$Stage>::on($crate::Backend::Servers).await).await;
            }
        }
    )+};
}
