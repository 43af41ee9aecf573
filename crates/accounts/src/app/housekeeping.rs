//! Rows that have done their work.

use chrono::TimeDelta;

use super::{App, ended_session as ends};
use crate::Error;
use crate::domain::brake::{FORGOTTEN_AFTER, MINUTES, minute};
use crate::domain::newsletter::ENDED_KEPT;
use crate::domain::second_factor::PENDING;
use crate::store::{
    api_key, brake, email_change, ended_session, idempotency, mail_request, password_reset,
    registration, second_factor, session, subscriber,
};

/// An ended session is kept this long, so that a stolen token is still recognised.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(7);
/// A key that is over stays in its owner's list this long.
const API_KEYS_KEPT: TimeDelta = TimeDelta::days(90);

/// A registration, a link or a code that is over is known as such for so long.
const PENDING_KEPT: TimeDelta = TimeDelta::minutes(15);
/// So long a letter may still be on its way.
const LETTERS_KEPT: TimeDelta = TimeDelta::days(7);

/// Removes what waited for a code or a link in vain, with its personal data, and old letters.
/// Answers how many rows.
pub(crate) async fn forget_pending(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let over = now - PENDING_KEPT;
    let tx = app.db.begin().await?;
    let registrations = registration::forget(&tx, over).await?;
    let links = password_reset::forget(&tx, over).await?;
    let changes = email_change::forget(&tx, over).await?;
    let letters = mail_request::forget(&tx, now - LETTERS_KEPT).await?;
    let consents = subscriber::forget(&tx, over, now - ENDED_KEPT).await?;
    tx.commit().await?;
    tracing::debug!(
        registrations,
        links,
        changes,
        letters,
        consents,
        "rows that waited in vain removed"
    );
    Ok(registrations + links + changes + letters + consents)
}

/// Removes sessions that are long over, keys of old requests and brakes long released. Answers how
/// many rows.
pub(crate) async fn forget_expired(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let over = now - SESSIONS_KEPT;
    let sessions = session::forget(&tx, over, over - app.limits().idle).await?;
    let ended = ended_session::forget(&tx, ends::forgotten_before(now)).await?;
    let keys = idempotency::forget(&tx, now - idempotency::KEPT).await?;
    let brakes = brake::forget(&tx, now - FORGOTTEN_AFTER).await?;
    let brakes = brakes + brake::network::forget(&tx, minute(now) - MINUTES).await?;
    let begun = second_factor::forget(&tx, now - PENDING).await?;
    let api_keys = api_key::forget(&tx, now - API_KEYS_KEPT).await?;
    tx.commit().await?;
    tracing::debug!(begun, api_keys, sessions, ended, keys, brakes, "expired rows removed");
    Ok(sessions + ended + keys + brakes + begun + api_keys)
}
