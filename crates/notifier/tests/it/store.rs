//! Databases for tests: SQLite in a temporary folder, PostgreSQL as the environment says.
use sea_orm::ConnectionTrait;
use souk_notifier::Notifier;
use souk_service::Service;
use souk_storage::{Database, DatabaseSettings, Migrations};
use tempfile::TempDir;

/// An empty, migrated database of its own.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    pub(crate) db: Database,
    pub(crate) dir: TempDir,
}

/// The same test runs on each.
pub(crate) async fn stores() -> Vec<Store> {
    let frame = [souk_audit::migrations, souk_jobs::migrations, souk_events::migrations];
    stores_with(&[&[Notifier::migrations()], &frame[..]].concat()).await
}

pub(crate) async fn stores_with(migrations: &[Migrations]) -> Vec<Store> {
    let stores = vec![sqlite().await, postgres().await];
    for store in &stores {
        souk_storage::migrate(&store.db, migrations).await.expect("migrations run");
    }
    stores
}

async fn sqlite() -> Store {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let settings = DatabaseSettings::default();
    let db = Database::open(&settings, dir.path(), "notifier").await.expect("SQLite opens");
    Store { name: "sqlite", db, dir }
}

#[allow(clippy::disallowed_methods, reason = "the test servers are named in the environment")]
async fn postgres() -> Store {
    let server = std::env::var("SOUK_TEST_POSTGRES_URL")
        .expect("SOUK_TEST_POSTGRES_URL is missing: start with `cargo xtask test`");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = format!("notifier_{}", uuid::Uuid::new_v4().simple());
    let admin = DatabaseSettings { url: server.clone(), ..Default::default() };
    let admin = Database::open(&admin, dir.path(), "admin").await.expect("PostgreSQL answers");
    let create = format!("CREATE DATABASE {name}");
    admin.write().execute_unprepared(&create).await.expect("a database of its own");
    admin.close().await.expect("closes");
    let (base, _) = server.rsplit_once('/').expect("a URL with a database");
    let settings = DatabaseSettings {
        url: format!("{base}/{name}"),
        max_connections: 4,
        ..Default::default()
    };
    let db = Database::open(&settings, dir.path(), "notifier").await.expect("PostgreSQL opens");
    Store { name: "postgres", db, dir }
}
