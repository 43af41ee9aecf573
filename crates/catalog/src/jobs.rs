//! The long work of the catalogue.

pub(crate) mod import_products;
