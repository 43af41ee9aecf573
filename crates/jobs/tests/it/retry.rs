//! Jobs that fail: again after 10, 30 and 60 s, then for good.
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use souk_jobs::{Job, JobContext, JobError, JobHandler, Jobs, Status};
use souk_testkit::{on_both, until_some};
use souk_values::{Clock, JobId};

use crate::stage::{Counting, Stage, start, until_status};

/// Comes to nothing so often.
struct Waiting {
    clock: Clock,
    left: AtomicU32,
}

#[async_trait::async_trait]
impl JobHandler for Waiting {
    fn kind(&self) -> &'static str {
        "count"
    }

    async fn run(&self, _ctx: &JobContext, _job: &Job) -> Result<(), JobError> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return Ok(());
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        let at = self.clock.now() + chrono::TimeDelta::hours(1);
        Err(JobError::Later { at, message: "the shop is closed".to_owned() })
    }
}

async fn after_attempt(jobs: &Jobs, id: JobId, attempts: u32) -> Job {
    until_some(&format!("attempt {attempts} is over"), || async {
        let job = jobs.get(id).await.unwrap().unwrap();
        (job.attempts == attempts && job.status != Status::Running).then_some(job)
    })
    .await
}

on_both! {
    async fn a_failing_job_is_tried_four_times_and_then_failed(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 9));
        work.failing.store(9, Ordering::SeqCst);
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 1).await;
        for (attempt, wait) in [(1, 10), (2, 30), (3, 60)] {
            let job = after_attempt(&jobs, id, attempt).await;
            assert_eq!(job.status, Status::Waiting);
            assert_eq!(job.message, format!("the shelf is locked; tried again in {wait} s"));
            stage.pass(wait);
            jobs.wake();
        }
        let job = until_status(&jobs, id, Status::Failed).await;
        assert_eq!((job.attempts, job.message.as_str()), (4, "the shelf is locked"));
        running.stop().await;
    }

    async fn a_job_that_waits_for_something_outside_is_put_off_as_often_as_it_wants(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Waiting { clock: stage.ground.clock.clone(), left: AtomicU32::new(9) });
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 1).await;
        for attempt in 1..=9 {
            let job = after_attempt(&jobs, id, attempt).await;
            assert_eq!((job.status, job.message.as_str()), (Status::Waiting, "the shop is closed"));
            assert_eq!(job.run_at, stage.ground.clock.now() + chrono::TimeDelta::hours(1));
            stage.pass(3_600);
            jobs.wake();
        }
        let job = until_status(&jobs, id, Status::Succeeded).await;
        assert_eq!(job.attempts, 10);
        running.stop().await;
    }

    async fn a_job_that_is_put_off_can_be_cancelled(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Waiting { clock: stage.ground.clock.clone(), left: AtomicU32::new(9) });
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 1).await;
        after_attempt(&jobs, id, 1).await;
        assert_eq!(jobs.cancel(id).await.unwrap().unwrap().status, Status::Cancelled);
        stage.pass(3_600);
        jobs.wake();
        running.stop().await;
        assert_eq!(jobs.get(id).await.unwrap().unwrap().attempts, 1);
    }

    async fn a_panic_is_a_failed_attempt_and_not_the_end_of_the_runner(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting { panics: true, ..Counting::new(&stage, 9) });
        work.failing.store(1, Ordering::SeqCst);
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 1).await;
        let job = after_attempt(&jobs, id, 1).await;
        assert_eq!(job.message, "the job panicked: out of cheese; tried again in 10 s");
        stage.pass(10);
        jobs.wake();
        until_status(&jobs, id, Status::Succeeded).await;
        running.stop().await;
    }

    async fn a_job_that_waits_for_its_next_attempt_can_be_cancelled(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 9));
        work.failing.store(1, Ordering::SeqCst);
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 1).await;
        after_attempt(&jobs, id, 1).await;
        assert_eq!(jobs.cancel(id).await.unwrap().unwrap().status, Status::Cancelled);
        running.stop().await;
    }

    async fn a_fatal_error_fails_at_once_with_its_sentence(stage: Stage) {
        struct Hopeless;
        #[async_trait::async_trait]
        impl JobHandler for Hopeless {
            fn kind(&self) -> &'static str {
                "count"
            }
            async fn run(&self, _: &JobContext, _: &Job) -> Result<(), JobError> {
                Err(JobError::Fatal("the file has no heading line".into()))
            }
        }
        let jobs = stage.jobs();
        let id = stage.create(&jobs, 1).await;
        let handler: Arc<dyn JobHandler> = Arc::new(Hopeless);
        let running = start(&jobs, &handler);
        let job = until_status(&jobs, id, Status::Failed).await;
        assert_eq!((job.attempts, job.message.as_str()), (1, "the file has no heading line"));
        running.stop().await;
    }
}
