//! The tables of analytics and every query about them.
//!
//! Hours and days are whole numbers since the Unix epoch, in UTC. Keys begin with the time: what is
//! written together lies together, and what is old goes together.
pub(crate) mod audit;
pub(crate) mod change;
mod migrations;
pub(crate) mod product;
mod rows;
pub(crate) mod sale;
pub(crate) mod sold;
pub(crate) mod view;
pub(crate) mod viewer;

pub use migrations::migrations;
