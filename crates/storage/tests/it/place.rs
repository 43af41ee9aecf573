//! Where a database may lie.

use sea_orm::ConnectionTrait;
use souk_storage::{Database, DatabaseSettings};
use uuid::Uuid;

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    server: Option<(String, String)>,
}

impl Place {
    pub(crate) fn file() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), server: None }
    }

    pub(crate) async fn server() -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let name = format!("storage_{}", Uuid::now_v7().simple());
        let server = sea_orm::Database::connect(&url).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        Self { dir: tempfile::tempdir().unwrap(), server: Some((url, name)) }
    }

    pub(crate) async fn clear(self) {
        if let Some((url, name)) = self.server {
            let server = sea_orm::Database::connect(url).await.unwrap();
            server.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            server.close().await.unwrap();
        }
    }

    /// Pools of their own on the same database.
    pub(crate) async fn open(&self) -> Database {
        let url = self.server.as_ref().map(|(url, name)| {
            let (base, _) = url.rsplit_once('/').unwrap();
            format!("{base}/{name}")
        });
        let settings = DatabaseSettings {
            url: url.unwrap_or_default(),
            max_connections: 8,
            ..DatabaseSettings::default()
        };
        Database::open(&settings, self.dir.path(), "shelf").await.unwrap()
    }
}
