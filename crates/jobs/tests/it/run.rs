//! Jobs run, in order, once.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use souk_jobs::{JobHandler, Progress, Status};
use souk_testkit::on_both;
use souk_values::Page;

use crate::stage::{Counting, Stage, start, until_done, until_status};

on_both! {
    async fn a_job_runs_once_and_shows_its_progress(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 2));
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 5).await;

        let half = until_done(&jobs, id, 2).await;
        assert_eq!(
            (half.status, half.total, half.message.as_str()),
            (Status::Running, 5, "counted 2")
        );
        assert_eq!(half.counts["counted"], 2);
        assert!(half.started_at.is_some() && half.ended_at.is_none());

        work.gate.add_permits(3);
        let all = until_status(&jobs, id, Status::Succeeded).await;
        assert_eq!((all.done, all.attempts, all.ended_at), (5, 1, Some(stage.ground.clock.now())));
        running.stop().await;
        assert_eq!(work.attempts.load(Ordering::SeqCst), 1);
        let (results, _) = jobs.results(id, &Page::new(0, "").unwrap()).await.unwrap();
        assert_eq!(results.len(), 5);
    }

    async fn jobs_run_one_at_a_time_in_the_order_of_their_creation(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 1));
        let handler: Arc<dyn JobHandler> = work.clone();
        let first = stage.create(&jobs, 2).await;
        let second = stage.create(&jobs, 1).await;
        let running = start(&jobs, &handler);
        until_done(&jobs, first, 1).await;
        assert_eq!(jobs.get(second).await.unwrap().unwrap().status, Status::Waiting);
        work.gate.add_permits(2);
        until_status(&jobs, second, Status::Succeeded).await;
        assert_eq!(jobs.get(first).await.unwrap().unwrap().status, Status::Succeeded);
        running.stop().await;
    }

    async fn a_job_waits_for_its_time_and_lets_others_pass(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 9));
        let handler: Arc<dyn JobHandler> = work.clone();
        let at = stage.ground.clock.now() + chrono::Duration::minutes(5);
        let later = stage.create_later(&jobs, 1, Some(at)).await;
        let now = stage.create(&jobs, 1).await;
        let running = start(&jobs, &handler);
        until_status(&jobs, now, Status::Succeeded).await;
        assert_eq!(jobs.get(later).await.unwrap().unwrap().status, Status::Waiting);
        stage.pass(300);
        jobs.wake();
        until_status(&jobs, later, Status::Succeeded).await;
        running.stop().await;
    }

    async fn two_runners_never_run_one_job_at_once(stage: Stage) {
        let jobs = stage.jobs();
        // on SQLite one process owns the file; its runners share one `Jobs`
        let others = if stage.ground.db.is_postgres() { stage.jobs() } else { jobs.clone() };
        let work = Arc::new(Counting::new(&stage, 1_000));
        let handler: Arc<dyn JobHandler> = work.clone();
        let mut ids = Vec::new();
        for _ in 0..30 {
            ids.push(stage.create(&jobs, 3).await);
        }
        let runners: Vec<_> =
            (0..4).map(|n| start(if n % 2 == 0 { &jobs } else { &others }, &handler)).collect();
        for id in ids {
            let job = until_status(&jobs, id, Status::Succeeded).await;
            assert_eq!((job.attempts, job.done), (1, 3));
        }
        assert_eq!(work.attempts.load(Ordering::SeqCst), 30);
        assert_eq!(work.items.load(Ordering::SeqCst), 90);
        for runner in runners {
            runner.stop().await;
        }
    }

    async fn a_kind_that_nobody_handles_waits(stage: Stage) {
        struct Other(Counting);
        #[async_trait::async_trait]
        impl JobHandler for Other {
            fn kind(&self) -> &'static str {
                "other"
            }
            async fn run(
                &self,
                ctx: &souk_jobs::JobContext,
                job: &souk_jobs::Job,
            ) -> Result<(), souk_jobs::JobError> {
                self.0.run(ctx, job).await
            }
        }
        let jobs = stage.jobs();
        let id = stage.create(&jobs, 1).await;
        let other: Arc<dyn JobHandler> = Arc::new(Other(Counting::new(&stage, 9)));
        let stranger = start(&jobs, &other);
        stranger.stop().await;
        assert_eq!(jobs.get(id).await.unwrap().unwrap().attempts, 0);
        let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 9));
        let running = start(&jobs, &handler);
        until_status(&jobs, id, Status::Succeeded).await;
        running.stop().await;
    }

    async fn progress_is_saved_with_the_work_or_by_itself(stage: Stage) {
        struct Rolls(souk_storage::Database);
        #[async_trait::async_trait]
        impl JobHandler for Rolls {
            fn kind(&self) -> &'static str {
                "count"
            }
            async fn run(
                &self,
                ctx: &souk_jobs::JobContext,
                _job: &souk_jobs::Job,
            ) -> Result<(), souk_jobs::JobError> {
                ctx.save_now(Progress { done: 1, message: "kept".into(), ..Default::default() })
                    .await?;
                let tx = self.0.begin().await?;
                ctx.save(&tx, Progress { done: 2, ..Default::default() }).await?;
                // dropped: the work failed, and its progress with it
                drop(tx);
                Ok(())
            }
        }
        let jobs = stage.jobs();
        let id = stage.create(&jobs, 1).await;
        let handler: Arc<dyn JobHandler> = Arc::new(Rolls(stage.ground.db.clone()));
        let running = start(&jobs, &handler);
        let job = until_status(&jobs, id, Status::Succeeded).await;
        assert_eq!((job.done, job.message.as_str()), (1, "kept"));
        running.stop().await;
    }
}
