//! The ends of sessions: which they are, and who is told.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use souk_events::NewEvent;
use souk_storage::Tx;
use souk_values::{SessionId, UserId};

use super::event;
use super::mail::{self, NewMail, To};
use super::{App, entry};
use crate::Error;
use crate::domain::mail::Kind;
use crate::domain::session::{Limits, Reason};
use crate::store::session::Model;
use crate::store::{api_key, ended_session, mail_request, session};

/// Letters of one kind for one person in an hour, at most: a program that logs in again and again
/// must not bury its owner.
const LETTERS_AN_HOUR: u64 = 60;

/// What a transaction ended. The events belong into the same transaction, the ids to
/// [`App::revoke`] after its commit.
#[must_use]
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) ids: Vec<SessionId>,
    pub(crate) events: Vec<NewEvent>,
}

impl App {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            idle: TimeDelta::minutes(i64::from(self.config.idle_minutes)),
            customer: TimeDelta::days(i64::from(self.config.refresh_token_days)),
            staff: TimeDelta::hours(i64::from(self.config.staff_session_hours)),
        }
    }
}

/// Ends every session of a person but `keep`, and the tokens of their programs unless it was their
/// own wish. The account's row is locked already, so that no login
/// slips in between.
pub(crate) async fn end_all(
    app: &App,
    tx: &Tx,
    account: UserId,
    keep: Option<SessionId>,
    reason: Reason,
) -> Result<Ended, Error> {
    let mut ids = session::end_all(tx, account, keep, app.clock.now()).await?;
    if reason != Reason::Ended {
        // keys of programs stay good; what they were exchanged for says what was
        ids.extend(api_key::end_tokens(tx, account).await?);
    }
    // what ends with a change of the account is told by the change
    if reason == Reason::Ended && !ids.is_empty() {
        app.audit.record(tx, entry::sessions_ended(account, &ids, reason)).await?;
    }
    let events = tell(app, tx, account, &ids, reason).await?;
    Ok(Ended { ids, events })
}

/// Ends one session, if nobody has yet.
pub(crate) async fn end_one(
    app: &App,
    tx: &Tx,
    session: &Model,
    reason: Reason,
) -> Result<Ended, Error> {
    if !session::end(tx, session.id, app.clock.now()).await? {
        return Ok(Ended::default());
    }
    let ids = vec![session.id];
    app.audit.record(tx, entry::sessions_ended(session.account_id, &ids, reason)).await?;
    let events = tell(app, tx, session.account_id, &ids, reason).await?;
    Ok(Ended { ids, events })
}

/// Writes down that these sessions of one person ended, for gateways that miss an event, and makes the
/// events that tell of it.
pub(crate) async fn tell(
    app: &App,
    tx: &Tx,
    user: UserId,
    ids: &[SessionId],
    reason: Reason,
) -> Result<Vec<NewEvent>, Error> {
    ended_session::insert(tx, ids, app.clock.now()).await?;
    Ok(event::sessions_ended(user, ids, reason))
}

/// The letter about a session: it ended for this reason, or it began on a device that nobody knew.
pub(crate) async fn letter(
    app: &App,
    tx: &Tx,
    session: &Model,
    ended: Option<Reason>,
) -> Result<Option<NewEvent>, Error> {
    let now = app.clock.now();
    let kind = if ended.is_some() { Kind::SessionEnded } else { Kind::NewDevice };
    let since = now - TimeDelta::hours(1);
    let sent = mail_request::count_since(tx, session.account_id, kind.as_str(), since).await?;
    if sent >= LETTERS_AN_HOUR {
        tracing::warn!(user.id = %session.account_id, letter = kind.as_str(), "too many letters");
        return Ok(None);
    }
    let facts = [
        ("device", session.device.clone()),
        ("network", session.network.clone()),
        ("at", moment(now)),
        ("reason", ended.map_or_else(String::new, |reason| reason.as_str().to_owned())),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let to = To::Account(session.account_id);
    let (_, event) = mail::request(app, tx, NewMail { kind, to, facts, expires_at: None }).await?;
    Ok(Some(event))
}

/// A time for a letter: `2026-11-21T15:30:00Z`.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
