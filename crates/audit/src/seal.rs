//! Sealing: rows that were committed get their places in the chain, one sealer at a time.
use sea_orm::DbErr;
use souk_storage::Database;
use souk_values::Clock;

use crate::store::entry::{self, Seal};
use crate::store::{head, newest};

/// Rows of one transaction: SQLite has one writer, and others want it too.
const TOGETHER: u64 = 512;

/// Seals until nothing waits.
pub(crate) async fn all(db: &Database, clock: &Clock) -> Result<u64, DbErr> {
    let mut sealed = 0;
    // most looks find nothing, and need no transaction for it
    while entry::any_unsealed(newest(db)).await? {
        let some = once(db, clock).await?;
        if some == 0 {
            break;
        }
        sealed += some;
    }
    Ok(sealed)
}

async fn once(db: &Database, clock: &Clock) -> Result<u64, DbErr> {
    let tx = db.begin().await?;
    let head = head::hold(&tx).await?;
    // after the lock: what another process sealed before is seen as sealed
    let rows = entry::unsealed(&tx, TOGETHER).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let (mut seq, mut prev) = (head.seq, head.hash);
    let mut seals = Vec::with_capacity(rows.len());
    for row in &rows {
        seq += 1;
        let hash = row.link(seq, &prev).to_vec();
        seals.push(Seal { id: row.id, seq, prev, hash: hash.clone() });
        prev = hash;
    }
    entry::seal(&tx, seals).await?;
    head::set(&tx, seq, &prev, clock.now_us()).await?;
    tx.commit().await?;
    Ok(rows.len() as u64)
}
