//! How long the ledger remembers: letters hold addresses and names.
use chrono::TimeDelta;

use super::App;
use crate::error::Error;
use crate::store::{change, letter, notification};

/// Far longer than an event can come back from its dead letters (30 days).
pub const KEPT: TimeDelta = TimeDelta::days(180);

/// Rows of one transaction: nobody waits long for it.
const SLICE: u64 = 1000;

impl App {
    /// Deletes what is older than [`KEPT`]; letters that may still be sent are kept.
    pub async fn forget(&self) -> Result<(), Error> {
        let before = self.clock.now() - KEPT;
        loop {
            let tx = self.db.begin().await?;
            let rows = notification::forget(&tx, before, SLICE).await?
                + change::forget(&tx, before, SLICE).await?
                + letter::forget(&tx, before, SLICE).await?;
            tx.commit().await?;
            if rows == 0 {
                return Ok(());
            }
            tracing::info!(rows, "old letters forgotten");
        }
    }
}
