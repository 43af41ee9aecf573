//! Rows that have done their work.

use chrono::TimeDelta;

use super::App;
use crate::Error;
use crate::domain::brake::FORGOTTEN_AFTER;
use crate::store::{brake, idempotency, session};

/// An ended session is kept this long, so that a stolen token is still recognised.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(7);

/// Removes sessions that are long over, keys of old requests and brakes long released. Answers how
/// many rows.
pub(crate) async fn forget_expired(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let sessions = session::forget(&tx, now - SESSIONS_KEPT).await?;
    let keys = idempotency::forget(&tx, now - idempotency::KEPT).await?;
    let brakes = brake::forget(&tx, now - FORGOTTEN_AFTER).await?;
    tx.commit().await?;
    tracing::debug!(sessions, keys, brakes, "expired rows removed");
    Ok(sessions + keys + brakes)
}
