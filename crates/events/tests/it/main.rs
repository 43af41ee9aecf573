//! The one integration binary of this crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at what it did not expect, and tells its figures"
)]

mod bus;
mod bus_local;
mod bus_rabbit;
mod consumer;
mod dead_letter;
mod deaths;
mod home;
mod outbox;
mod relay;
mod scripted;
