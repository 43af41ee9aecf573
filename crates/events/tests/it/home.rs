//! A service's database for one test, on either store.
use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use souk_storage::{Database, DatabaseSettings, migrate};
use uuid::Uuid;

pub(crate) struct Home {
    pub(crate) db: Database,
    /// As another process would open it.
    pub(crate) url: String,
    _dir: tempfile::TempDir,
}

impl Home {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("shop.db").display());
        Self::furnished(url, dir).await
    }

    pub(crate) async fn postgres() -> Self {
        let server = std::env::var_os("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let server = server.into_string().unwrap();
        let name = format!("events_{}", Uuid::now_v7().simple());
        let admin = open(&server).await;
        admin.write().execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self::furnished(format!("{base}/{name}"), tempfile::tempdir().unwrap()).await
    }

    async fn furnished(url: String, dir: tempfile::TempDir) -> Self {
        let db = open(&url).await;
        migrate(&db, &[souk_events::migrations]).await.unwrap();
        let effects = "CREATE TABLE effect (subject text NOT NULL)";
        db.write().execute_unprepared(effects).await.unwrap();
        Self { db, url, _dir: dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self._dir.path()
    }

    /// A number out of the database.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let db = self.db.write();
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    pub(crate) async fn effects(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM effect").await
    }

    /// The same, with the database of another home.
    pub(crate) async fn moved_to(self, url: &str) -> Self {
        Self { db: open(url).await, ..self }
    }
}

pub(crate) async fn open(url: &str) -> Database {
    let settings =
        DatabaseSettings { url: url.to_owned(), replica_url: String::new(), max_connections: 5 };
    Database::open(&settings, Path::new("/nowhere"), "shop").await.unwrap()
}

/// Waits for a condition; three minutes are for loaded machines, not for the code.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(180), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    });
    assert!(patience.await.is_ok(), "never: {what}");
}

/// Runs each test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::home::Home::sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::home::Home::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;
