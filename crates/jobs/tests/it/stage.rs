//! Where the tests play: a fresh database of each kind, a clock that stands, a handler that can be
//! held between items.
use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use souk_jobs::{
    ItemResult, Job, JobContext, JobError, JobHandler, Jobs, NewJob, Progress, Status,
};
use souk_storage::{Database, DatabaseSettings, migrate};
use souk_values::{Clock, JobId};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Makes a test of each function, for SQLite and for PostgreSQL.
macro_rules! on_both {
    ($(async fn $name:ident($stage:ident: Stage) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn play($stage: Stage) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                play(Stage::sqlite().await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                play(Stage::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use on_both;

pub(crate) struct Stage {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    _dir: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn sqlite() -> Self {
        Self::open(DatabaseSettings::default()).await
    }

    pub(crate) async fn postgres() -> Self {
        let server = std::env::var_os("SOUK_TEST_POSTGRES_URL")
            .expect("no PostgreSQL: start with `cargo xtask test`")
            .into_string()
            .unwrap();
        let name = format!("jobs_{}", Uuid::new_v4().simple());
        let admin = sea_orm::Database::connect(&server).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        admin.close().await.unwrap();
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        Self::open(DatabaseSettings { url, ..Default::default() }).await
    }

    async fn open(settings: DatabaseSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&settings, dir.path(), "jobs").await.unwrap();
        migrate(&db, &[souk_jobs::migrations]).await.unwrap();
        let noon: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        Self { db, clock: Clock::fixed(noon), _dir: dir }
    }

    /// The jobs as a process of their own would see them.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs::new(self.db.clone(), self.clock.clone())
    }

    pub(crate) async fn create(&self, jobs: &Jobs, items: u64) -> JobId {
        self.create_later(jobs, items, None).await
    }

    pub(crate) async fn create_later(
        &self,
        jobs: &Jobs,
        items: u64,
        run_at: Option<DateTime<Utc>>,
    ) -> JobId {
        let tx = self.db.begin().await.unwrap();
        let job = NewJob {
            kind: "count",
            params: serde_json::json!({ "items": items }),
            created_by: "usr_test".into(),
            run_at,
        };
        let id = jobs.create(&tx, job).await.unwrap();
        tx.commit().await.unwrap();
        jobs.wake();
        id
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(chrono::Duration::seconds(seconds));
    }
}

/// A runner in the background.
pub(crate) struct Running {
    pub(crate) task: JoinHandle<()>,
    pub(crate) stop: CancellationToken,
}

impl Running {
    /// Vanishes without a word, as a killed process does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }
}

pub(crate) fn start(jobs: &Jobs, handler: &Arc<dyn JobHandler>) -> Running {
    let stop = CancellationToken::new();
    let run = jobs.clone().run(vec![handler.clone()], stop.clone());
    Running { task: tokio::spawn(run), stop }
}

/// Counts items one by one, each in a transaction with its result and its checkpoint.
pub(crate) struct Counting {
    pub(crate) db: Database,
    /// Each item takes a permit.
    pub(crate) gate: Semaphore,
    /// This many attempts fail before their first item.
    pub(crate) failing: AtomicU32,
    pub(crate) attempts: AtomicU32,
    /// Items counted, saved or not.
    pub(crate) items: AtomicU32,
    pub(crate) now_running: Mutex<HashSet<JobId>>,
    pub(crate) panics: bool,
}

impl Counting {
    pub(crate) fn new(stage: &Stage, permits: usize) -> Self {
        Self {
            db: stage.db.clone(),
            gate: Semaphore::new(permits),
            failing: AtomicU32::new(0),
            attempts: AtomicU32::new(0),
            items: AtomicU32::new(0),
            now_running: Mutex::default(),
            panics: false,
        }
    }

    async fn count(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let total = job.params["items"].as_u64().unwrap();
        let begin = ctx.checkpoint()["next"].as_u64().unwrap_or(0);
        for item in begin..total {
            tokio::select! {
                permit = self.gate.acquire() => permit.unwrap().forget(),
                () = ctx.until_stopping() => {}
            }
            if ctx.stopping() {
                return Err(ctx.stopped());
            }
            let result = ItemResult {
                position: item,
                key: format!("item {item}"),
                outcome: "counted".into(),
                detail: format!("attempt {}", job.attempts),
            };
            let progress = Progress {
                done: item + 1,
                total,
                message: format!("counted {}", item + 1),
                counts: [("counted".to_owned(), item + 1)].into(),
                checkpoint: serde_json::json!({ "next": item + 1 }),
                results: vec![result],
            };
            let tx = self.db.begin().await?;
            ctx.save(&tx, progress).await?;
            tx.commit().await?;
            self.items.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl JobHandler for Counting {
    fn kind(&self) -> &'static str {
        "count"
    }

    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let one_less = |left: u32| left.checked_sub(1);
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            assert!(!self.panics, "out of cheese");
            return Err(JobError::Retry(anyhow::anyhow!("the shelf is locked")));
        }
        assert!(self.now_running.lock().unwrap().insert(job.id), "{} runs twice", job.id);
        let counted = self.count(ctx, job).await;
        self.now_running.lock().unwrap().remove(&job.id);
        counted
    }
}

/// Waits until `found` answers something; at most 20 s.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..2_000 {
        ticks.tick().await;
        if let Some(found) = found().await {
            return found;
        }
    }
    panic!("never happened: {what}");
}

pub(crate) async fn until_status(jobs: &Jobs, id: JobId, status: Status) -> Job {
    eventually(&format!("{id} {status}"), || async {
        let job = jobs.get(id).await.unwrap().unwrap();
        (job.status == status).then_some(job)
    })
    .await
}

pub(crate) async fn until_done(jobs: &Jobs, id: JobId, done: u64) -> Job {
    eventually(&format!("{id} at {done}"), || async {
        let job = jobs.get(id).await.unwrap().unwrap();
        (job.done == done).then_some(job)
    })
    .await
}
