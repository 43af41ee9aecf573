//! What this service does: one function per use case. Every change passes through here.

use std::sync::Arc;

use souk_auth::{Caller, Verifier};
use souk_events::{NewEvent, Outbox};
use souk_storage::{Database, Tx};
use souk_values::{Clock, SessionId};

use crate::store::{newest, session};
use crate::{Config, Error, store};

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod event;
pub(crate) mod first_admin;
pub(crate) mod housekeeping;
mod keys;
pub(crate) mod login;
pub(crate) mod logout;
mod password;
pub(crate) mod tokens;
mod turns;

use keys::Keys;
use password::Passwords;
use turns::Turns;

/// What the frame lends to this service.
pub struct Surroundings {
    pub db: Database,
    pub outbox: Outbox,
    pub clock: Clock,
    /// The process's own: told at once when a session ends.
    pub verifier: Arc<Verifier>,
}

/// What the use cases share.
pub struct App {
    db: Database,
    outbox: Outbox,
    clock: Clock,
    verifier: Arc<Verifier>,
    config: Config,
    keys: Keys,
    passwords: Passwords,
    turns: Turns,
}

impl App {
    /// `signing_key` is 32 bytes in base64url. Hashes one password, so that unknown logins take as
    /// long as others.
    pub fn new(
        around: Surroundings,
        config: Config,
        signing_key: &str,
    ) -> anyhow::Result<Arc<Self>> {
        let Surroundings { db, outbox, clock, verifier } = around;
        let keys = Keys::new(signing_key)?;
        let passwords = Passwords::new(&config.argon2)?;
        let turns = Turns::default();
        Ok(Arc::new(Self { db, outbox, clock, verifier, config, keys, passwords, turns }))
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
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
        let session = session::find(db, user.session).await?.ok_or(Error::SessionEnded)?;
        let account = store::account::find(db, session.account_id).await?;
        let account = account.filter(|a| a.id == user.id).ok_or(Error::SessionEnded)?;
        if !account.active {
            return Err(Error::AccountInactive);
        }
        if session.is_live(self.clock.now()) { Ok(()) } else { Err(Error::SessionEnded) }
    }

    /// Commits the change with the event that tells of it.
    async fn commit(&self, tx: Tx, event: NewEvent) -> Result<(), Error> {
        self.outbox.append(&tx, vec![event]).await?;
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
