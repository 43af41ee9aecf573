//! Where a shop keeps what it has: a folder, and on servers databases, queues and a cache of its own.
use std::path::{Path, PathBuf};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use sea_orm::ConnectionTrait;
use souk_events::registry::QUEUES;
use tempfile::TempDir;
use uuid::Uuid;

use crate::ses::FakeSes;

/// Services with a database.
const KEEPERS: [&str; 5] = ["accounts", "catalog", "analytics", "orders", "notifier"];

/// What a shop stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Nothing to install: SQLite files, queues in SQLite, a cache in memory.
    Default,
    /// PostgreSQL, RabbitMQ and Redis.
    Servers,
}

/// Nothing in it is shared with another test; it is emptied when dropped.
pub struct Storehouse {
    backend: Backend,
    dir: TempDir,
    /// Names of databases, queues and exchanges begin with it.
    word: String,
    settings: Vec<(String, String)>,
    ses: Option<FakeSes>,
}

impl Storehouse {
    /// Fails the test when a server that it needs was not started.
    pub async fn new(backend: Backend) -> Self {
        let word = format!("t{}", Uuid::new_v4().simple());
        let dir = tempfile::Builder::new().prefix("souk-").tempdir().expect("a temporary folder");
        let mut store = Self { backend, dir, word, settings: Vec::new(), ses: None };
        let data = store.data_dir().display().to_string();
        store.set("data_dir", data);
        store.set("log.level", "warn");
        // quick hashes: what they cost is not what these tests are about
        store.set("accounts.argon2.memory_kib", 64);
        store.set("accounts.argon2.iterations", 1);
        store.set("gateway.rate_limit.enabled", false);
        if backend == Backend::Servers {
            store.on_servers().await;
        }
        store
    }

    /// Letters leave through an SES of this test's own.
    pub async fn with_ses(mut self) -> Self {
        let ses = FakeSes::start().await.expect("a port for the fake SES");
        self.set("mail.sender", "ses");
        self.set("ses.endpoint", ses.url.clone());
        self.set("ses.region", "eu-west-1");
        self.set("ses.access_key_id", "AKIATESTTESTTESTTEST");
        self.set("ses.secret_access_key", "testtesttesttesttesttesttesttesttesttest");
        self.set("ses.max_send_rate", 10_000);
        self.ses = Some(ses);
        self
    }

    async fn on_servers(&mut self) {
        let server = server("SOUK_TEST_POSTGRES_URL");
        let admin = sea_orm::Database::connect(&server).await.expect("PostgreSQL answers");
        for service in KEEPERS {
            let create = format!("CREATE DATABASE {}_{service}", self.word);
            admin.execute_unprepared(&create).await.expect("a database is created");
        }
        let _ = admin.close().await;
        let (host, _) = server.rsplit_once('/').expect("a database in the URL");
        self.set("database.url", format!("{host}/{}_{{service}}", self.word));
        self.set("database.max_connections", 6);
        // admins of the tests have none unless a test is about it
        self.set("accounts.admin_second_factor", "off");
        let rabbit = server_of("SOUK_TEST_RABBITMQ_URL");
        self.set("bus.url", format!("{rabbit}?souk_prefix={}", self.word));
        // a number of its own as far as they go: Redis has sixteen
        let redis = server_of("SOUK_TEST_REDIS_URL");
        self.set("cache.url", format!("{redis}/{}", rand::random::<u8>() % 16));
        for name in ["secrets.service_token", "secrets.signing_key"] {
            self.set(name, URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        }
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A folder beside the data, for logs and files of the test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn ses(&self) -> Option<&FakeSes> {
        self.ses.as_ref()
    }

    /// (`gateway.listen`, value), as for `souk_service::Sources::flags`.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// The value of a setting, as it was set here.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The database of a service, for tests that look behind the counter; `None` for SQLite.
    pub fn database_url(&self, service: &str) -> Option<String> {
        self.setting("database.url").map(|url| url.replace("{service}", service))
    }

    /// The name that the broker knows a queue or an exchange by.
    pub fn broker_name(&self, name: &str) -> String {
        format!("{}.{name}", self.word)
    }

    fn set(&mut self, key: &str, value: impl ToString) {
        self.settings.push((key.to_owned(), value.to_string()));
    }

    async fn clear(server: String, rabbit: String, word: String) {
        if let Ok(admin) = sea_orm::Database::connect(&server).await {
            for service in KEEPERS {
                let gone = format!("DROP DATABASE IF EXISTS {word}_{service} WITH (FORCE)");
                let _ = admin.execute_unprepared(&gone).await;
            }
            let _ = admin.close().await;
        }
        let Ok(broker) = Connection::connect(&rabbit, ConnectionProperties::default()).await else {
            return;
        };
        let Ok(channel) = broker.create_channel().await else { return };
        for queue in QUEUES {
            for end in ["", ".dlq", ".retry.1s", ".retry.10s", ".retry.60s"] {
                let name = format!("{word}.{}{end}", queue.name);
                let _ = channel.queue_delete(name.into(), QueueDeleteOptions::default()).await;
            }
        }
        for exchange in ["souk.events", "souk.dlx"] {
            let name = format!("{word}.{exchange}");
            let _ = channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await;
        }
        let _ = broker.close(200, "done".into()).await;
    }
}

impl Drop for Storehouse {
    fn drop(&mut self) {
        if self.backend == Backend::Default {
            return;
        }
        let clear = Self::clear(
            server("SOUK_TEST_POSTGRES_URL"),
            server("SOUK_TEST_RABBITMQ_URL"),
            self.word.clone(),
        );
        // a runtime of its own: this one may be ending
        let cleaner = thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
            {
                runtime.block_on(clear);
            }
        });
        let _ = cleaner.join();
    }
}

/// The address of a server that `cargo xtask test` starts.
pub fn server(variable: &str) -> String {
    let set = std::env::var_os(variable).is_some();
    assert!(set, "{variable} is not set: start with `cargo xtask test`");
    self::variable(variable)
}

/// A variable of the environment that must be there.
pub(crate) fn variable(name: &str) -> String {
    let value = std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set"));
    value.into_string().unwrap_or_else(|_| panic!("{name} is not UTF-8"))
}

/// The same without a path or slash at the end that would be in the way of ours.
fn server_of(variable: &str) -> String {
    server(variable).trim_end_matches('/').to_owned()
}
