//! The use cases: count views and sales, remember products, forget what is old.
pub(crate) mod personal;
pub(crate) mod product;
pub(crate) mod retention;
pub(crate) mod sale;
pub(crate) mod view;

use souk_storage::Database;
use souk_values::Clock;

/// What the use cases share.
#[derive(Clone)]
pub struct App {
    pub db: Database,
    pub clock: Clock,
    pub kept: Kept,
}

/// For how many days details are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub viewer_days: u32,
    pub hour_days: u32,
}
