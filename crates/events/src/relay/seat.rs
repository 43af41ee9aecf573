//! The seat of the one relay that publishes: on PostgreSQL whose session holds the advisory lock,
//! on SQLite the owner of the file.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, SqlxPostgresConnector, Statement,
    TransactionOptions, TransactionTrait,
};
use souk_storage::{Database, Tx};
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

/// Where a process that does not lead tells the one that does: "there is something". The table is
/// the truth, so the notice has no content, and one that is lost costs one poll.
const CHANNEL: &str = "souk_outbox";
/// Between two notices of one process.
const HUSH: Duration = Duration::from_millis(10);

pub(super) enum Seat {
    File(Database),
    Session(Session),
}

/// A pool of one connection: everything the leader does goes through the session that holds the
/// lock, so a session that is dead, and with it the lock, can move no row.
pub(super) struct Session {
    connection: DatabaseConnection,
    service: &'static str,
    /// Counts the sessions that the pool has opened; another one than `mine` holds no lock.
    opened: Arc<AtomicU64>,
    mine: Option<u64>,
    /// For listening only: a connection that listens can do nothing else.
    ears: PgPool,
    notices: Option<BoxStream<'static, ()>>,
}

impl Seat {
    pub(super) fn new(db: &Database, service: &'static str) -> Self {
        if !db.is_postgres() {
            return Self::File(db.clone());
        }
        let opened = Arc::new(AtomicU64::new(0));
        let counter = opened.clone();
        let options = db.write().get_postgres_connection_pool().connect_options();
        let one = || PgPoolOptions::new().max_connections(1);
        let ears = one().connect_lazy_with(options.as_ref().clone());
        let pool = one()
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(move |_, _| {
                counter.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Ok(()) })
            })
            .connect_lazy_with(options.as_ref().clone());
        let connection = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        Self::Session(Session { connection, service, opened, mine: None, ears, notices: None })
    }

    /// Whether this relay leads, taking the lead if it is free.
    pub(super) async fn take(&mut self) -> Result<bool, DbErr> {
        let Self::Session(session) = self else { return Ok(true) };
        if session.leads() {
            session.listen().await;
            return Ok(true);
        }
        session.leave();
        let statement = Statement::from_sql_and_values(
            session.connection.get_database_backend(),
            "SELECT pg_try_advisory_lock($1) AS won",
            [key(session.service).into()],
        );
        let row = session.connection.query_one_raw(statement).await?;
        let won = match row {
            Some(row) => row.try_get("", "won")?,
            None => false,
        };
        if won {
            session.mine = Some(session.opened.load(Ordering::SeqCst));
            tracing::info!(service = session.service, "relay leads");
            session.listen().await;
        }
        Ok(won)
    }

    /// For reads that must see what is committed; of the leading session where there is one.
    pub(super) fn read(&self) -> &DatabaseConnection {
        match self {
            Self::File(db) => db.read(),
            Self::Session(session) => &session.connection,
        }
    }

    /// A transaction of the leader. Fails if the lead was lost.
    pub(super) async fn begin(&mut self) -> Result<Tx, DbErr> {
        match self {
            Self::File(db) => db.begin().await,
            Self::Session(session) => {
                let options = TransactionOptions::default();
                let tx = session.connection.begin_with_options(options).await?;
                self.check()?;
                Ok(tx)
            }
        }
    }

    /// Fails if the statement before was answered by another session than the one with the lock.
    pub(super) fn check(&self) -> Result<(), DbErr> {
        match self {
            Self::Session(session) if !session.leads() => {
                Err(DbErr::Custom("the lock of the relay was lost".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// To ask again for the lock before anything else is done; harmless if it is still held.
    pub(super) fn leave(&mut self) {
        if let Self::Session(session) = self {
            session.leave();
        }
    }

    /// Ends when another process has something to be sent.
    pub(super) async fn heard(&mut self) {
        if let Self::Session(Session { notices: Some(notices), .. }) = self
            && notices.next().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }

    /// Tells the leader, wherever it is.
    pub(super) async fn nudge(&mut self) -> Result<(), DbErr> {
        if let Self::Session(session) = self {
            let sql = format!("NOTIFY {CHANNEL}");
            session.connection.execute_unprepared(&sql).await?;
            tokio::time::sleep(HUSH).await;
        }
        Ok(())
    }

    /// Ends the session, which gives the lock to the next at once.
    pub(super) async fn close(self) {
        let Self::Session(session) = self else { return };
        drop(session.notices);
        session.ears.close().await;
        if let Err(error) = session.connection.close().await {
            tracing::debug!(error = %error, "relay session did not close");
        }
    }
}

impl Session {
    fn leave(&mut self) {
        self.mine = None;
        self.notices = None;
    }

    /// Without ears the leader still polls.
    async fn listen(&mut self) {
        if self.notices.is_some() {
            return;
        }
        let listener = async {
            let mut listener = PgListener::connect_with(&self.ears).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match listener.await {
            Ok(listener) => {
                // ends with the first error; a new one is made with the next turn
                let notices = listener.into_stream().take_while(|n| std::future::ready(n.is_ok()));
                self.notices = Some(notices.map(drop).boxed());
            }
            Err(error) => tracing::debug!(error = %error, "relay cannot listen"),
        }
    }

    fn leads(&self) -> bool {
        self.mine == Some(self.opened.load(Ordering::SeqCst))
    }
}

/// FNV-1a of the service's name: the same in every release, far from the small numbers of other
/// locks.
fn key(service: &str) -> i64 {
    let hash =
        format!("souk.relay.{service}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| {
            (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    i64::from_be_bytes(hash.to_be_bytes())
}
