//! The audit of one service: recorded, noted, listed, verified, erased.
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use souk_rpc::{Refusals, Refused};
use souk_storage::{Database, Tx};
use souk_values::{Clock, Cursor, Page, UserId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::brake::{Brake, Key};
use crate::entry::{Entry, Filter, NewEntry};
use crate::notes::Notes;
use crate::store::{entry, newest};
use crate::verify::{self, Verdict};
use crate::{retention, seal};

/// Between two looks for rows that nobody has told of: another process's, or of one that died.
const LOOK: Duration = Duration::from_millis(800);
/// From an entry to its seal: others that come meanwhile share the transaction.
const GATHER: Duration = Duration::from_millis(100);
/// After a failure of the database.
const REST: Duration = Duration::from_secs(2);

/// The audit of one service. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

struct Inner {
    service: &'static str,
    db: Database,
    clock: Clock,
    notes: Notes,
    brake: Brake,
    /// Something was recorded.
    stirred: Notify,
}

impl Audit {
    pub fn new(service: &'static str, db: Database, clock: Clock) -> Self {
        let (notes, brake, stirred) = (Notes::new(service), Brake::default(), Notify::new());
        Self { inner: Arc::new(Inner { service, db, clock, notes, brake, stirred }) }
    }

    /// Writes the entry into the transaction of the change it tells of.
    pub async fn record(&self, tx: &Tx, entry: NewEntry) -> Result<(), DbErr> {
        self.record_all(tx, vec![entry]).await
    }

    /// Writes many at once; none is no work.
    pub async fn record_all(&self, tx: &Tx, entries: Vec<NewEntry>) -> Result<(), DbErr> {
        if entries.is_empty() {
            return Ok(());
        }
        let at_us = self.inner.clock.now_us();
        let rows = entries.into_iter().map(|new| entry::Model::new(new, at_us)).collect();
        entry::insert_many(tx, rows).await?;
        self.inner.stirred.notify_one();
        Ok(())
    }

    /// Keeps an entry that no transaction belongs to, such as a refusal: written within 100 ms by
    /// [`run`](Self::run). Never waits; above 10,000 that wait, entries are counted instead.
    pub fn note(&self, entry: NewEntry) {
        self.inner.notes.put(entry::Model::new(entry, self.inner.clock.now_us()));
    }

    /// The same for what somebody can make happen as often as they like: the first ten a minute of
    /// an actor, an action and a target are kept one by one, then their number.
    pub fn note_some(&self, entry: NewEntry) {
        let key = Key {
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            target: entry.target.clone(),
        };
        if self.inner.brake.admits(key, self.inner.clock.now_us()) {
            self.note(entry);
        }
    }

    /// Newest first. A cursor of another list is a `DbErr::Type`.
    pub async fn list(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<(Vec<Entry>, Option<Cursor>), DbErr> {
        entry::list(newest(&self.inner.db), filter, page).await
    }

    /// Reads the whole chain again and names what is not as it was.
    pub async fn verify(&self) -> Result<Verdict, DbErr> {
        verify::run(&self.inner.db, self.inner.clock.now_us()).await
    }

    /// Erases addresses and values of the entries by this person or about them; what happened, and
    /// that it happened, stays, and the chain still holds. Answers how many entries were touched.
    pub async fn erase_person(&self, tx: &Tx, user: UserId) -> Result<u64, DbErr> {
        let target = format!("user/{user}");
        let erased = entry::erase(tx, &user.to_string(), &target, ERASED).await?;
        if erased > 0 {
            let told = NewEntry::new(ERASED, target).change("entries", "", erased);
            self.record(tx, told).await?;
        }
        Ok(erased)
    }

    /// Erases addresses and values of the entries about these targets: things of a person, such as
    /// their orders. Answers how many entries were touched.
    pub async fn erase_about(&self, tx: &Tx, targets: &[String]) -> Result<u64, DbErr> {
        let mut erased = 0;
        for some in targets.chunks(500) {
            erased += entry::erase_about(tx, some, ERASED).await?;
        }
        Ok(erased)
    }

    /// Seals what waits; answers how many rows. [`run`](Self::run) does it by itself.
    pub async fn seal(&self) -> Result<u64, DbErr> {
        seal::all(&self.inner.db, &self.inner.clock).await
    }

    /// Removes the oldest sealed entries of more than `days`; 0: none. A stone is left where the
    /// chain begins from then on, and an entry that tells of it. Answers how many were removed.
    pub async fn trim(&self, days: u32) -> Result<u64, DbErr> {
        if days == 0 {
            return Ok(0);
        }
        let removed = retention::trim(self, days).await?;
        if removed > 0 {
            tracing::info!(service = self.inner.service, removed, days, "audit trimmed");
        }
        Ok(removed)
    }

    /// Writes notes and seals until `stop`; then once more, so that a process that ends in order
    /// leaves nothing behind.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.seals(&stop), self.inner.notes.run(&self.inner.db, &stop));
        self.settle_refusals(true);
        self.inner.notes.flush(&self.inner.db).await;
        if let Err(error) = self.seal().await {
            tracing::warn!(service = self.inner.service, %error, "audit not sealed at the end");
        }
    }

    async fn seals(&self, stop: &CancellationToken) {
        loop {
            let rest = match self.seal().await {
                Ok(_) => LOOK,
                Err(error) => {
                    tracing::warn!(service = self.inner.service, %error, "audit not sealed");
                    REST
                }
            };
            self.settle_refusals(false);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
                () = self.inner.stirred.notified() => tokio::time::sleep(GATHER).await,
            }
        }
    }

    /// Tells of the refusals that were too many to be told one by one.
    fn settle_refusals(&self, all: bool) {
        for (key, more) in self.inner.brake.settle(self.inner.clock.now_us(), all) {
            let entry = NewEntry::by_service(self.inner.service, &key.action, key.target);
            let entry = entry.actor(key.actor).refused("too_many").change("more", "", more);
            self.note(entry);
        }
    }

    pub(crate) fn service(&self) -> &'static str {
        self.inner.service
    }

    pub(crate) fn db(&self) -> &Database {
        &self.inner.db
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }
}

const REFUSED: &str = "rpc.refused";
/// Holds a number and nothing personal.
const ERASED: &str = "audit.erased";

impl Refusals for Audit {
    fn refused(&self, call: &Refused<'_>) {
        let context = souk_rpc::CallContext {
            caller: call.caller.clone(),
            client: call.client.map(Into::into),
            request_id: call.request_id.map(Into::into),
            ..Default::default()
        };
        self.note_some(NewEntry::of(&context, REFUSED, call.method).refused(call.reason));
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("service", &self.inner.service).finish_non_exhaustive()
    }
}
