//! The frame with tiny services in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod ending;
mod environment;
mod house;
mod http;
mod listener;
mod lock;
mod neighbors;
mod secrets;
mod secured;
mod settings;
mod shown;
mod tenants;
