//! Souk keeps its word: real processes are killed, starved and stopped under load, and a client
//! that wrote everything down compares what it was promised with what there is.
//!
//! `SOUK_PROVE=full` (by `cargo xtask prove --full`) for the full counts; without it each fault
//! comes twice. Each test prints its table; with `SOUK_EVIDENCE=1` full ones are also appended to
//! `docs/evidence/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed; its table is its product"
)]

mod amounts;
mod broker;
mod buyers;
mod checker;
mod client;
mod damage;
mod evidence;
mod facts;
mod house;
mod load;
mod process;
mod redis;
mod verdict;

mod broker_faults;
mod invoices;
mod kills;
mod mail_trouble;
mod orders_killed;
mod people;
mod poison;
mod races;
mod stops;
