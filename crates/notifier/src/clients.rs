//! What we call: accounts, and whatever carries letters.

pub mod accounts;
pub mod catalog;
pub mod mail;
