//! The tables of `bus.db`. A body stands once, whatever the number of queues that hold it.
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

/// `ready_at`: 0 never taken or taken the first time (then the queue's cursor is past it), -1 taken
/// again, otherwise the microsecond since the epoch from which on it may be taken.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS queue (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    bindings TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY,
    headers TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
    queue INTEGER NOT NULL,
    message INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    note TEXT,
    PRIMARY KEY (queue, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (queue, ready_at, message) WHERE ready_at > 0;
";

/// Opens the file, makes the tables, and voids the claims of a process that is gone.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let mut conn = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
        .connect()
        .await?;
    sqlx::raw_sql(TABLES).execute(&mut conn).await?;
    sqlx::query("UPDATE delivery SET ready_at = 1 WHERE ready_at = -1").execute(&mut conn).await?;
    conn.ping().await?;
    Ok(conn)
}
