//! Analytics on SQLite and on PostgreSQL: what is told goes in, what is asked comes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

mod personal;
mod product;
mod report;
mod retention;
mod sale;
mod stage;
mod view;
