//! Orders with its real neighbour, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod cart;
mod order;
mod payment;
mod personal;
mod rules;
