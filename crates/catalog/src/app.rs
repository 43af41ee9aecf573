//! The use cases: each opens its transaction, writes state and event, commits, wakes the relay.

pub(crate) mod category;
pub(crate) mod demo;
pub(crate) mod image;
pub(crate) mod product;
pub(crate) mod transfer;

use std::path::PathBuf;

use souk_events::Outbox;
use souk_jobs::Jobs;
use souk_storage::Database;
use souk_values::{Clock, Currency};

/// What the use cases share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Database,
    pub(crate) outbox: Outbox,
    pub(crate) jobs: Jobs,
    pub(crate) clock: Clock,
    /// Of prices that come without one.
    pub(crate) currency: Currency,
    /// Pictures and imports.
    pub(crate) files: PathBuf,
}
