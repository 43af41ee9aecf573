//! What services keep of people: handed over as a whole, erased on demand.
//!
//! Jobs of accounts ask every service, also those that ask accounts themselves. No wait goes in
//! circles, because nobody waits for a job, and no service asks another to answer them.
mod door;

use std::sync::{Arc, OnceLock, Weak};

use anyhow::Context;
use futures::channel::mpsc;
use futures::{SinkExt, Stream};
use serde::Serialize;
use souk_proto::operations::v1::PersonalRecord;
use souk_rpc::Transport;
use souk_storage::Tx;
use souk_values::UserId;
use tonic::Status;

pub use door::{METHODS, door};

/// Services that keep something, in the order in which they are erased: accounts comes last, for
/// without it nobody knows any more whose addresses to look for.
pub const KEEPERS: [&str; 5] = ["catalog", "analytics", "notifier", "orders", "accounts"];

/// Records on their way to the reader.
const AHEAD: usize = 64;

/// Whose data it is.
#[derive(Clone)]
pub struct Person {
    pub id: UserId,
    /// E-mail addresses that are, or were, theirs.
    pub emails: Vec<String>,
}

/// Without the addresses.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({})", self.id)
    }
}

/// Why a person cannot be erased now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// A code: `open_orders`.
    pub reason: &'static str,
    /// What it is about, such as numbers of orders; nothing personal.
    pub subjects: Vec<String>,
}

/// What one service keeps of people.
#[async_trait::async_trait]
pub trait PersonalData: Send + Sync + 'static {
    /// What stands against erasing the person, as the transaction sees it.
    async fn holds(&self, _tx: &Tx, _person: &Person) -> anyhow::Result<Vec<Hold>> {
        Ok(Vec::new())
    }

    /// Hands over everything that is kept of the person, records of one section together.
    async fn export(&self, person: &Person, records: &mut Records) -> anyhow::Result<()>;

    /// Takes away what names the person; figures stay. Answers how many records were touched; a
    /// second time it finds none. What lies outside of the database goes first, so that whoever
    /// tries again still finds it. The frame erases the audit's values in the same transaction.
    async fn erase(&self, tx: &Tx, person: &Person) -> anyhow::Result<u64>;
}

/// Where an export goes.
pub struct Records {
    sender: mpsc::Sender<Result<PersonalRecord, Status>>,
}

impl Records {
    /// Records, and what is put into them. Whoever puts waits for whoever reads.
    pub fn channel() -> (Self, impl Stream<Item = Result<PersonalRecord, Status>> + Send) {
        let (sender, receiver) = mpsc::channel(AHEAD);
        (Self { sender }, receiver)
    }

    /// Hands over one record of a section: an object.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn put(&mut self, section: &str, record: &impl Serialize) -> anyhow::Result<()> {
        let json = serde_json::to_string(record).context("a record cannot be written")?;
        self.send(Ok(PersonalRecord { section: section.to_owned(), json, end: false })).await
    }

    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        self.send(Ok(PersonalRecord { end: true, ..PersonalRecord::default() })).await
    }

    pub(crate) async fn fail(&mut self, status: Status) -> anyhow::Result<()> {
        self.send(Err(status)).await
    }

    async fn send(&mut self, record: Result<PersonalRecord, Status>) -> anyhow::Result<()> {
        self.sender.send(record).await.context("nobody reads the records any more")
    }
}

/// The way to one service that keeps something of people, or why there is none.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub name: &'static str,
    pub way: Result<Transport, String>,
}

/// The ways to all of them. Cheap to clone. Weak: they lead into the house, whose accounts holds
/// this.
#[derive(Clone, Default)]
pub struct Keepers(Weak<OnceLock<Vec<Keeper>>>);

impl Keepers {
    /// Known later: accounts is built before those whom it asks.
    pub fn of(ways: &Arc<OnceLock<Vec<Keeper>>>) -> Self {
        Self(Arc::downgrade(ways))
    }

    /// In the order in which they are to be asked; none before the house is built, or when it is
    /// gone.
    pub fn all(&self) -> Vec<Keeper> {
        self.0.upgrade().and_then(|ways| ways.get().cloned()).unwrap_or_default()
    }
}
