//! Where the tests play: a fresh database of each kind, a clock that stands, a handler that can be
//! held between items.
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use souk_jobs::{
    ItemResult, Job, JobContext, JobError, JobHandler, Jobs, NewJob, Progress, Status,
};
use souk_storage::Database;
use souk_testkit::{Backend, Ground, Running, until_some};
use souk_values::JobId;
use tokio::sync::Semaphore;

pub(crate) struct Stage {
    pub(crate) ground: Ground,
}

impl Stage {
    pub(crate) async fn on(backend: Backend) -> Self {
        Self { ground: Ground::new(backend, "jobs", &[souk_jobs::migrations]).await }
    }

    /// The jobs as a process of their own would see them.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs::new(self.ground.db.clone(), self.ground.clock.clone())
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
        let tx = self.ground.db.begin().await.unwrap();
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
        self.ground.pass(seconds);
    }
}

/// A runner in the background.
pub(crate) fn start(jobs: &Jobs, handler: &Arc<dyn JobHandler>) -> Running {
    Running::start(|stop| jobs.clone().run(vec![handler.clone()], stop))
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
            db: stage.ground.db.clone(),
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

pub(crate) async fn until_status(jobs: &Jobs, id: JobId, status: Status) -> Job {
    until_some(&format!("{id} {status}"), || async {
        let job = jobs.get(id).await.unwrap().unwrap();
        (job.status == status).then_some(job)
    })
    .await
}

pub(crate) async fn until_done(jobs: &Jobs, id: JobId, done: u64) -> Job {
    until_some(&format!("{id} at {done}"), || async {
        let job = jobs.get(id).await.unwrap().unwrap();
        (job.done == done).then_some(job)
    })
    .await
}
