//! The tables of this service: who, which role, which sessions, and what guards the doors.

use sea_orm::DatabaseConnection;
use souk_storage::Database;

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod api_key;
pub(crate) mod avatar;
pub(crate) mod block;
pub(crate) mod brake;
pub(crate) mod data_request;
pub(crate) mod email_change;
pub(crate) mod ended_session;
pub(crate) mod idempotency;
pub(crate) mod mail_request;
pub(crate) mod migrations;
pub(crate) mod password_reset;
pub(crate) mod personal;
pub(crate) mod recovery_code;
pub(crate) mod refresh_token;
pub(crate) mod registration;
pub(crate) mod role;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod subscriber;

/// For reads that decide about trust: never a replica. SQLite's readers see every commit at once,
/// and its single writer connection is worth sparing.
pub(crate) fn newest(db: &Database) -> &DatabaseConnection {
    if db.is_postgres() { db.write() } else { db.read() }
}
