//! Access tokens as an attacker and as a good client would send them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail like this")]

mod forge;
mod keys;
mod matrix;
mod revocation;
