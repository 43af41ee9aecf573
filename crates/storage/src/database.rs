//! The pools of one service.
use std::path::Path;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};

use crate::Tx;

/// Where a service keeps its data. `{service}` in a URL stands for the service's name.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// `postgres://…` or `sqlite:PATH`; empty: a SQLite file in the data directory.
    pub url: String,
    /// Where reads may go; empty: `url`.
    pub replica_url: String,
    /// Most connections of one service; 0: 16.
    pub max_connections: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("cannot open the database of {service}")]
    Open { service: String, source: DbErr },
    #[error("database.url of {0} must begin with postgres:// or sqlite:")]
    Url(String),
}

/// The database of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
}

impl Database {
    /// Opens the pools; creates a missing SQLite file.
    pub async fn open(
        settings: &DatabaseSettings,
        data_dir: &Path,
        service: &str,
    ) -> Result<Self, StorageError> {
        let fill = |url: &str| url.replace("{service}", service);
        let url = if settings.url.is_empty() {
            format!("sqlite:{}", data_dir.join(format!("{service}.db")).display())
        } else {
            fill(&settings.url)
        };
        let most = if settings.max_connections == 0 { 16 } else { settings.max_connections };
        let failed = |source| StorageError::Open { service: service.to_owned(), source };
        if url.starts_with("sqlite:") {
            // One writer behind the pool's queue: SQLite has one write lock, and waiting for it
            // in SQLite's busy loop is unfair.
            let writer = sqlite(&url, 1, WRITER_CACHE);
            let writer = sea_orm::Database::connect(writer).await.map_err(failed)?;
            let reader = sqlite(&url, 4, READER_CACHE);
            let reader = sea_orm::Database::connect(reader).await.map_err(failed)?;
            Ok(Self { writer, reader })
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let writer = sea_orm::Database::connect(postgres(&url, most)).await.map_err(failed)?;
            let reader = if settings.replica_url.is_empty() {
                writer.clone()
            } else {
                let url = fill(&settings.replica_url);
                sea_orm::Database::connect(postgres(&url, most)).await.map_err(failed)?
            };
            Ok(Self { writer, reader })
        } else {
            Err(StorageError::Url(service.to_owned()))
        }
    }

    /// For reads that may be a moment old.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For single statements that write, and for reads that must see the newest state.
    pub fn write(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Begins a transaction that writes (IMMEDIATE on SQLite). Dropping it rolls back.
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.writer.begin_with_options(options).await
    }

    pub fn is_postgres(&self) -> bool {
        self.writer.get_database_backend() == DatabaseBackend::Postgres
    }

    /// Answers when the database does; for readiness.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.writer.ping().await
    }

    /// Takes what was erased out of SQLite's file and log, too: pages keep what was deleted until
    /// they are written over, so the file is written anew. Writers wait meanwhile. PostgreSQL does
    /// so by its own vacuum. False: the file is too large for that while a shop is open.
    ///
    /// # Errors
    /// When readers hold the log for too long: try again later.
    pub async fn scrub(&self) -> Result<bool, DbErr> {
        if self.is_postgres() {
            return Ok(true);
        }
        let bytes = self.pragma("page_count").await? * self.pragma("page_size").await?;
        // one connection writes, so all of these are said to the same one; the copy that SQLite
        // makes belongs on the disk, not into memory
        let fits = bytes <= REWRITTEN;
        if fits {
            self.writer.execute_unprepared("PRAGMA temp_store = FILE").await?;
            let rewritten = self.writer.execute_unprepared("VACUUM").await;
            self.writer.execute_unprepared("PRAGMA temp_store = MEMORY").await?;
            rewritten?;
        }
        for pause in SCRUB_PAUSES {
            tokio::time::sleep(pause).await;
            // the first column: whether somebody was in the way
            if self.pragma("wal_checkpoint(TRUNCATE)").await? == 0 {
                return Ok(fits);
            }
        }
        Err(DbErr::Custom("readers hold the log of SQLite".to_owned()))
    }

    /// The first number that a pragma of SQLite answers.
    async fn pragma(&self, pragma: &str) -> Result<i64, DbErr> {
        let text = format!("PRAGMA {pragma}");
        let statement = Statement::from_string(DatabaseBackend::Sqlite, text);
        let row = self.writer.query_one_raw(statement).await?;
        row.map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    /// Waits for running statements and closes the pools.
    pub async fn close(self) -> Result<(), DbErr> {
        self.reader.close().await?;
        self.writer.close().await
    }
}

/// Pages in memory for each connection, in KiB (SQLite wants them negative). A writer whose
/// transaction does not fit writes pages before their time; a reader finds the system's own cache
/// behind its own.
const WRITER_CACHE: &str = "-32000";
const READER_CACHE: &str = "-4000";
/// Pages of the log that begin a checkpoint (32 MiB): pages that change often are copied back once
/// for many changes.
const CHECKPOINT: &str = "8000";
/// A log that has grown beyond is cut (64 MiB).
const LOG: &str = "67108864";
/// A larger file is not written anew while a shop is open (1 GiB).
const REWRITTEN: i64 = 1 << 30;
/// Before each try to cut the log when something was erased.
const SCRUB_PAUSES: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(200), Duration::from_secs(1)];
/// Rows that SQLite's thread may be ahead of their reader.
const ROWS_AHEAD: usize = 256;

fn sqlite(url: &str, connections: u32, cache: &'static str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |o| {
            o.create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(10))
                .pragma("cache_size", cache)
                .pragma("temp_store", "memory")
                .pragma("wal_autocheckpoint", CHECKPOINT)
                .pragma("journal_size_limit", LOG)
                .row_buffer_size(ROWS_AHEAD)
        })
        .test_before_acquire(false);
    options
}

fn postgres(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(30));
    options
}
