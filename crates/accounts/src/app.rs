//! What this service does: one function per use case. Every change passes through here.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use souk_audit::{Audit, NewEntry};
use souk_auth::{Caller, Verifier};
use souk_events::{NewEvent, Outbox};
use souk_jobs::Jobs;
use souk_pictures::Workshop;
use souk_service::personal::Keepers;
use souk_storage::{Database, Tx};
use souk_values::{Clock, SessionId};

use crate::store::{self, newest};
use crate::{Config, Error};

pub(crate) mod account;
pub(crate) mod actor;
pub(crate) mod address;
pub(crate) mod api_key;
pub(crate) mod avatar;
pub(crate) mod block;
mod brake;
pub(crate) mod credential;
pub(crate) mod data_request;
pub(crate) mod device;
pub(crate) mod ended_session;
mod entry;
pub(crate) mod event;
pub(crate) mod first_admin;
pub(crate) mod group_action;
mod hashers;
pub(crate) mod housekeeping;
mod keys;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod mail;
pub(crate) mod newsletter;
mod password;
pub(crate) mod personal;
pub(crate) mod registration;
pub(crate) mod role;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod tokens;
mod turns;

use keys::Keys;
use password::Passwords;
use turns::Turns;

/// What the frame lends to this service.
pub struct Surroundings {
    pub db: Database,
    pub outbox: Outbox,
    pub audit: Audit,
    pub jobs: Jobs,
    pub clock: Clock,
    /// The process's own: told at once when a session ends.
    pub verifier: Arc<Verifier>,
    /// What authenticator apps call the shop.
    pub shop_name: String,
    /// Whom jobs ask for what is kept of people.
    pub keepers: Keepers,
}

/// What tells of a change: events to other services, entries to the audit.
struct Told {
    events: Vec<NewEvent>,
    entries: Vec<NewEntry>,
}

impl From<NewEvent> for Told {
    fn from(event: NewEvent) -> Self {
        Self { events: vec![event], entries: Vec::new() }
    }
}

impl From<NewEntry> for Told {
    fn from(entry: NewEntry) -> Self {
        Self { events: Vec::new(), entries: vec![entry] }
    }
}

impl From<(NewEvent, NewEntry)> for Told {
    fn from((event, entry): (NewEvent, NewEntry)) -> Self {
        Self { events: vec![event], entries: vec![entry] }
    }
}

impl From<(Vec<NewEvent>, NewEntry)> for Told {
    fn from((events, entry): (Vec<NewEvent>, NewEntry)) -> Self {
        Self { events, entries: vec![entry] }
    }
}

impl From<(Vec<NewEvent>, Vec<NewEntry>)> for Told {
    fn from((events, entries): (Vec<NewEvent>, Vec<NewEntry>)) -> Self {
        Self { events, entries }
    }
}

/// What the use cases share.
pub struct App {
    db: Database,
    outbox: Outbox,
    audit: Audit,
    jobs: Jobs,
    clock: Clock,
    verifier: Arc<Verifier>,
    shop_name: String,
    keepers: Keepers,
    config: Config,
    keys: Keys,
    passwords: Passwords,
    /// Attempts on one account.
    turns: Turns,
    /// Attempts of one network.
    gates: Turns,
    /// Where uploaded pictures are made anew.
    workshop: Workshop,
}

impl App {
    /// `signing_key` is 32 bytes in base64url; `previous_key` too, or empty: what it signed is
    /// still believed. Hashes one password, so that unknown logins take as long as others.
    pub fn new(
        around: Surroundings,
        config: Config,
        signing_key: &str,
        previous_key: &str,
    ) -> anyhow::Result<Arc<Self>> {
        let Surroundings { db, outbox, audit, jobs, clock, verifier, shop_name, keepers } = around;
        let keys = Keys::new(signing_key, previous_key)?;
        let passwords = Passwords::new(&config.argon2)?;
        let (turns, gates) = (Turns::new(1), Turns::new(brake::AT_ONCE));
        Ok(Arc::new(Self {
            db,
            outbox,
            audit,
            jobs,
            clock,
            verifier,
            shop_name,
            keepers,
            config,
            keys,
            passwords,
            turns,
            gates,
            workshop: Workshop::default(),
        }))
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Days for which a file of personal data is there.
    pub(crate) fn export_kept_days(&self) -> u32 {
        self.config.personal_data.export_kept_days
    }

    /// Until it is asked again whether somebody may be erased.
    pub(crate) fn erasure_recheck(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.config.personal_data.recheck_s))
    }

    /// Until what was on its way while somebody was erased is erased, too; zero: nobody looks.
    pub(crate) fn erasure_second_look(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.config.personal_data.second_look_s))
    }

    /// Events of a job were committed.
    pub(crate) fn wake_outbox(&self) {
        self.outbox.wake();
    }

    /// The public keys of the access tokens.
    pub(crate) fn jwks(&self) -> souk_auth::Jwks {
        self.keys.jwks()
    }

    /// A token outlives its session by minutes, but not here: who lost a session or an account
    /// changes and reads nothing about people any more.
    pub(crate) async fn admit(&self, caller: &Caller) -> Result<(), Error> {
        let Some(user) = &caller.user else { return Ok(()) };
        let db = newest(&self.db);
        let now = self.clock.now();
        let (owner, is_open) = match store::session::find(db, user.session).await? {
            Some(session) => (session.account_id, session.is_open(now)),
            None => {
                let key = store::api_key::find_by_session(db, user.session).await?;
                let key = key.ok_or(Error::SessionEnded)?;
                (key.account_id, key.is_live(now))
            }
        };
        let account = store::account::find(db, owner).await?;
        let account = account.filter(|a| a.id == user.id).ok_or(Error::SessionEnded)?;
        if !account.active {
            return Err(Error::AccountInactive);
        }
        block::refuse(db, account.id, now).await?;
        if is_open { Ok(()) } else { Err(Error::SessionEnded) }
    }

    /// Commits the change with what tells of it: an event, an entry of the audit, or both as
    /// `(event, entry)`; several as vectors.
    async fn commit(&self, tx: Tx, told: impl Into<Told>) -> Result<(), Error> {
        let Told { events, entries } = told.into();
        self.audit.record_all(&tx, entries).await?;
        self.commit_all(tx, events).await
    }

    /// Commits the change with the events that tell of it, in order.
    async fn commit_all(&self, tx: Tx, events: Vec<NewEvent>) -> Result<(), Error> {
        self.outbox.append(&tx, events).await?;
        tx.commit().await?;
        self.outbox.wake();
        Ok(())
    }

    /// Access tokens of these sessions are worth nothing any more in this process; other processes
    /// learn of it by the event.
    fn revoke(&self, sessions: &[SessionId]) {
        for &session in sessions {
            self.verifier.revoke_session(session);
        }
    }
}
