//! The tables of this crate: every query stands with the noun it is about.

pub mod account;
pub mod change;
pub mod letter;
pub mod migrations;
pub mod newsletter;
pub mod notification;
pub mod pace;
pub mod personal;
pub mod preference;

/// Rows of one INSERT; SQLite binds at most 32,766 values in a statement.
const INSERT_ROWS: usize = 500;
