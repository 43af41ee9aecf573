//! The same calls inside a process, over TCP and over the operator's socket: callers cannot tell.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail like this"
)]

mod bounds;
mod conformance;
mod frames;
mod house;
mod identity;
mod observed;
mod secured;
mod server;
mod shop;
