//! Removing the oldest entries: the chain goes on behind a stone.
use chrono::TimeDelta;
use sea_orm::DbErr;

use crate::audit::Audit;
use crate::chain::hex;
use crate::entry::NewEntry;
use crate::store::{entry, head, stone};

/// Rows of one transaction.
const TOGETHER: u64 = 5_000;
/// What tells of a stone. It is in the chain: who lays a stone of their own has no such entry.
pub(crate) const TRIMMED: &str = "audit.trimmed";

pub(crate) fn target(seq: i64, hash: &[u8]) -> String {
    format!("audit/{seq}/{}", hex(hash))
}

pub(crate) async fn trim(audit: &Audit, days: u32) -> Result<u64, DbErr> {
    let now = audit.clock().now();
    let before_us = (now - TimeDelta::days(i64::from(days))).timestamp_micros();
    let mut removed = 0;
    loop {
        let tx = audit.db().begin().await?;
        // with the head in hand nobody else trims or seals
        head::hold(&tx).await?;
        let Some((seq, hash)) = entry::last_before(&tx, before_us, TOGETHER).await? else {
            return Ok(removed);
        };
        let some = entry::remove_to(&tx, seq).await?;
        let told = NewEntry::by_service(audit.service(), TRIMMED, target(seq, &hash));
        stone::lay(&tx, seq, hash, now.timestamp_micros()).await?;
        audit.record(&tx, told.change("entries", some, 0)).await?;
        tx.commit().await?;
        removed += some;
    }
}
