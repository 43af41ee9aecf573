//! What gateways read: which sessions ended while access tokens of them may still be about. Events tell
//! of the same sooner; whoever misses one reads it here.

use chrono::{DateTime, TimeDelta, Utc};
use souk_auth::AccessClaims;
use souk_rpc::Violation;
use souk_values::{Cursor, SessionId};
use uuid::Uuid;

use super::App;
use crate::Error;
use crate::store::{ended_session, newest};

/// The longest that any access token may be good, with a minute for clocks that differ.
const TOKENS: TimeDelta = TimeDelta::seconds(AccessClaims::MAX_LIFETIME_S + 60);
/// A session bears the time at which its end was written. Its commit, and the clock of another process,
/// may be behind by this much: so far back the next look begins.
const BEHIND: TimeDelta = TimeDelta::seconds(30);
/// Sessions of one answer.
const TOGETHER: u64 = 5_000;

/// What ended, and where to go on.
pub(crate) struct Part {
    pub(crate) ids: Vec<SessionId>,
    pub(crate) next: Cursor,
    pub(crate) more: bool,
}

/// What ended after an earlier answer; without a cursor, all that may matter.
pub(crate) async fn list(app: &App, cursor: Option<&Cursor>) -> Result<Part, Error> {
    let now = app.clock.now();
    let first = beginning(now - TOKENS);
    let after = match cursor {
        None => first,
        Some(cursor) => read(cursor).ok_or_else(broken)?.max(first),
    };
    let mut found = ended_session::list(newest(&app.db), after, TOGETHER + 1).await?;
    let together = usize::try_from(TOGETHER).unwrap_or(usize::MAX);
    let more = found.len() > together;
    found.truncate(together);
    let next = match found.last() {
        Some(last) if more => (last.ended_at, last.session_id),
        _ => beginning(now - BEHIND),
    };
    let next = Cursor::encode(&(next.0.timestamp_micros(), next.1));
    Ok(Part { ids: found.into_iter().map(|ended| ended.session_id).collect(), next, more })
}

/// Before everything that ended at this time.
fn beginning(at: DateTime<Utc>) -> (DateTime<Utc>, SessionId) {
    (at, SessionId::from_uuid(Uuid::nil()))
}

fn read(cursor: &Cursor) -> Option<(DateTime<Utc>, SessionId)> {
    let (at_us, id) = cursor.decode::<(i64, SessionId)>().ok()?;
    Some((DateTime::from_timestamp_micros(at_us)?, id))
}

fn broken() -> Error {
    Error::Invalid(vec![Violation::new("cursor", "is not a cursor of this list")])
}

/// When an end matters to nobody any more, twice over.
pub(super) fn forgotten_before(now: DateTime<Utc>) -> DateTime<Utc> {
    now - TOKENS - TOKENS
}
