//! The rules of the catalogue: pure, synchronous, no I/O, no clock.

pub(crate) mod category;
pub(crate) mod import;
pub(crate) mod product;
pub(crate) mod stock;
