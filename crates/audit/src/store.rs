//! The tables.
pub(crate) mod entry;
pub(crate) mod head;
pub(crate) mod stone;

use sea_orm::DatabaseConnection;
use souk_storage::Database;

/// Where the newest state is read: a replica may lag, and readers of SQLite do not.
pub(crate) fn newest(db: &Database) -> &DatabaseConnection {
    if db.is_postgres() { db.write() } else { db.read() }
}
