//! The use cases: each opens its transaction, writes state and event, commits, wakes the relay.

pub(crate) mod category;
pub(crate) mod demo;
pub(crate) mod image;
pub(crate) mod integrity;
pub(crate) mod product;
pub(crate) mod stock;
pub(crate) mod transfer;

use std::path::PathBuf;

use souk_audit::Audit;
use souk_events::Outbox;
use souk_jobs::Jobs;
use souk_pictures::Workshop;
use souk_storage::Database;
use souk_values::{Clock, Currency};

use crate::app::stock::StockRules;

/// What the use cases share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Database,
    pub(crate) outbox: Outbox,
    pub(crate) jobs: Jobs,
    pub(crate) audit: Audit,
    pub(crate) clock: Clock,
    /// Of prices that come without one.
    pub(crate) currency: Currency,
    pub(crate) stock: StockRules,
    /// Pictures and imports.
    pub(crate) files: PathBuf,
    /// Where uploaded pictures are made anew.
    pub(crate) workshop: Workshop,
}
