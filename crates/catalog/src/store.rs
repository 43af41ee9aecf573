//! The tables of the catalogue and every query about them.

pub(crate) mod answer;
pub(crate) mod category;
mod migrations;
pub(crate) mod movement;
pub(crate) mod product;
pub(crate) mod reservation;
pub(crate) mod stock;

pub(crate) use migrations::migrations;
