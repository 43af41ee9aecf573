//! The notifier from its doors: events in, letters out, the ledger between.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod account;
mod bench;
mod delivery;
mod digest;
mod folder;
mod header;
mod ledger;
mod neighbor;
mod newsletter;
mod notice;
mod odd_answer;
mod order;
mod personal;
mod preference;
mod queue;
mod request;
mod secret;
mod smtp;
mod store;
