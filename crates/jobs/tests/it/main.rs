//! Jobs on SQLite and on PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

mod cancel;
mod crash;
mod history;
mod retry;
mod run;
mod stage;
