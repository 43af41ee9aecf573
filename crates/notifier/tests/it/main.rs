//! The notifier from its doors: events in, letters out, the ledger between.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod bench;
mod delivery;
mod digest;
mod folder;
mod ledger;
mod neighbor;
mod notice;
mod order;
mod preference;
mod queue;
mod smtp;
mod store;
