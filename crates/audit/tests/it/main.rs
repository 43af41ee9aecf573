//! The audit on SQLite and on PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

mod chain;
mod erase;
mod list;
mod notes;
mod retention;
mod seal;
mod stage;
