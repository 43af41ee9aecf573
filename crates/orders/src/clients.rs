//! Whom orders asks.
pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod payment;
