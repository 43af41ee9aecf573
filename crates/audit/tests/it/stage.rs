//! Where the tests play: a fresh database of each kind, a clock that stands, and a hand that
//! tampers.
use sea_orm::{ConnectionTrait, Statement};
use souk_audit::{Audit, Entry, Filter, NewEntry, Verdict};
use souk_testkit::{Backend, Ground, Running};
use souk_values::Page;

pub(crate) struct Stage {
    pub(crate) audit: Audit,
    pub(crate) ground: Ground,
}

impl Stage {
    pub(crate) async fn on(backend: Backend) -> Self {
        let ground = Ground::new(backend, "audit", &[souk_audit::migrations]).await;
        let audit = Audit::new("shop", ground.db.clone(), ground.clock.clone());
        Self { audit, ground }
    }

    /// The audit as another process sees it, with pools of its own.
    pub(crate) async fn beside(&self) -> Audit {
        Audit::new("shop", self.ground.beside().await, self.ground.clock.clone())
    }

    /// Records an entry in a transaction of its own.
    pub(crate) async fn tell(&self, entry: NewEntry) {
        let tx = self.ground.db.begin().await.unwrap();
        self.audit.record(&tx, entry).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A sealed chain of so many rows.
    pub(crate) async fn chain(&self, rows: usize) {
        for n in 0..rows {
            self.tell(price(n)).await;
        }
        assert_eq!(self.audit.seal().await.unwrap(), rows as u64);
    }

    pub(crate) async fn verify(&self) -> Verdict {
        self.audit.verify().await.unwrap()
    }

    /// A chain that holds and has so many rows.
    pub(crate) async fn holds(&self, rows: u64) -> Verdict {
        let verdict = self.verify().await;
        assert_eq!((&verdict.breaches[..], verdict.broken), (&[][..], 0));
        assert_eq!(verdict.rows, rows);
        verdict
    }

    /// Does behind the audit's back what somebody with the database's password could.
    pub(crate) async fn tamper(&self, sql: &str) {
        assert!(self.run(sql).await > 0, "{sql} does nothing");
    }

    /// Answers how many rows it touched.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        let backend = self.ground.db.write().get_database_backend();
        let done = self.ground.db.write().execute_raw(Statement::from_string(backend, sql)).await;
        done.unwrap().rows_affected()
    }

    /// Newest first.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        self.listed(Filter::default()).await
    }

    pub(crate) async fn listed(&self, filter: Filter) -> Vec<Entry> {
        let page = Page::new(100, "").unwrap();
        self.audit.list(&filter, &page).await.unwrap().0
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.ground.pass(seconds);
    }
}

pub(crate) fn price(n: usize) -> NewEntry {
    NewEntry::new("product.changed", format!("product/{n}"))
        .actor("usr_1")
        .address("192.0.2.0")
        .change("price", n, n + 1)
}

/// The audit at work in the background.
pub(crate) fn start(audit: &Audit) -> Running {
    Running::start(|stop| audit.clone().run(stop))
}
