//! Runners that vanish, lose their lease, or are told to stop.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement};
use souk_jobs::{JobHandler, Status};
use souk_testkit::{Backend, on_both, until_some};
use souk_values::Page;

use crate::stage::{Counting, Stage, start, until_done, until_status};

async fn details(stage: &Stage, id: souk_values::JobId) -> Vec<(u64, String)> {
    let page = Page::new(100, "").unwrap();
    let (results, _) = stage.jobs().results(id, &page).await.unwrap();
    results.into_iter().map(|r| (r.position, r.detail)).collect()
}

on_both! {
    async fn a_job_goes_on_from_its_checkpoint_after_a_crash(stage: Stage) {
        let jobs = stage.jobs();
        let killed = Arc::new(Counting::new(&stage, 2));
        let handler: Arc<dyn JobHandler> = killed.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 4).await;
        until_done(&jobs, id, 2).await;
        running.crash().await;

        let work = Arc::new(Counting::new(&stage, 9));
        let handler: Arc<dyn JobHandler> = work.clone();
        let next = start(&jobs, &handler);
        let proof = stage.create(&jobs, 1).await;
        until_status(&jobs, proof, Status::Succeeded).await;
        // the lease holds: the runner looked, and left the job alone
        assert_eq!(jobs.get(id).await.unwrap().unwrap().status, Status::Running);

        stage.pass(31);
        jobs.wake();
        let job = until_status(&jobs, id, Status::Succeeded).await;
        assert_eq!((job.done, job.attempts), (4, 2));
        assert_eq!(work.items.load(Ordering::SeqCst), 1 + 2, "only what was not done yet");
        let told: Vec<_> = (0..4)
            .map(|n| (n, if n < 2 { "attempt 1".to_owned() } else { "attempt 2".to_owned() }))
            .collect();
        assert_eq!(details(&stage, id).await, told);
        next.stop().await;
    }

    async fn a_runner_that_lost_its_lease_changes_nothing_more(stage: Stage) {
        let jobs = stage.jobs();
        let slow = Arc::new(Counting::new(&stage, 1));
        let handler: Arc<dyn JobHandler> = slow.clone();
        let slow_runner = start(&jobs, &handler);
        let id = stage.create(&jobs, 3).await;
        until_done(&jobs, id, 1).await;
        stage.pass(31);

        let quick: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 9));
        let quick_runner = start(&jobs, &quick);
        until_status(&jobs, id, Status::Succeeded).await;
        // now the first one wakes up and wants to save
        slow.gate.add_permits(2);
        until_some("the slow runner takes other work", || async {
            let other = stage.create(&jobs, 0).await;
            until_status(&jobs, other, Status::Succeeded).await;
            (slow.attempts.load(Ordering::SeqCst) > 1).then_some(())
        })
        .await;
        assert_eq!(slow.items.load(Ordering::SeqCst), 1);
        let job = jobs.get(id).await.unwrap().unwrap();
        assert_eq!((job.status, job.done, job.attempts), (Status::Succeeded, 3, 2));
        let by: Vec<_> = details(&stage, id).await.into_iter().map(|(_, by)| by).collect();
        assert_eq!(by, ["attempt 1", "attempt 2", "attempt 2"]);
        slow_runner.stop().await;
        quick_runner.stop().await;
    }

    async fn a_stop_gives_the_job_back_at_once_and_is_no_failure(stage: Stage) {
        let jobs = stage.jobs();
        let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 1));
        let id = stage.create(&jobs, 2).await;
        for round in 1..=6_u32 {
            let running = start(&jobs, &handler);
            until_some("begun", || async {
                let job = jobs.get(id).await.unwrap().unwrap();
                (job.attempts == round && job.status == Status::Running && job.done == 1)
                    .then_some(())
            })
            .await;
            running.stop().await;
            assert_eq!(jobs.get(id).await.unwrap().unwrap().status, Status::Waiting);
        }
        let finisher: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 1));
        let running = start(&jobs, &finisher);
        let job = until_status(&jobs, id, Status::Succeeded).await;
        assert_eq!((job.done, job.attempts), (2, 7));
        running.stop().await;
    }

    async fn a_long_silent_job_keeps_its_lease_and_hears_a_cancel_from_afar(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 1));
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 2).await;
        until_done(&jobs, id, 1).await;
        stage.pass(29);
        let renewed = || async {
            let row = stage.ground.db.write().query_one_raw(Statement::from_string(
                stage.ground.db.write().get_database_backend(),
                "SELECT lease_until FROM job",
            ));
            let row = row.await.unwrap().unwrap();
            let until: DateTime<Utc> = row.try_get("", "lease_until").unwrap();
            (until == stage.ground.clock.now() + TimeDelta::seconds(30)).then_some(())
        };
        until_some("the lease is renewed", renewed).await;
        stage.jobs().cancel(id).await.unwrap();
        assert_eq!(until_status(&jobs, id, Status::Cancelled).await.attempts, 1);
        running.stop().await;
    }

    async fn a_job_that_kills_its_process_again_and_again_is_given_up(stage: Stage) {
        let jobs = stage.jobs();
        let id = stage.create(&jobs, 1).await;
        for round in 1..=10_u32 {
            let work = Arc::new(Counting::new(&stage, 0));
            let handler: Arc<dyn JobHandler> = work.clone();
            let running = start(&jobs, &handler);
            until_some("begun", || async {
                (work.attempts.load(Ordering::SeqCst) == 1).then_some(())
            })
            .await;
            assert_eq!(jobs.get(id).await.unwrap().unwrap().attempts, round);
            running.crash().await;
            stage.pass(31);
        }
        let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 9));
        let running = start(&jobs, &handler);
        let job = until_status(&jobs, id, Status::Failed).await;
        assert_eq!(job.message, "the process ended 10 times while this job ran");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_new_process_goes_on_without_waiting_for_the_lease() {
    let stage = Stage::on(Backend::Default).await;
    let before = stage.jobs();
    let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 1));
    let running = start(&before, &handler);
    let id = stage.create(&before, 2).await;
    until_done(&before, id, 1).await;
    running.crash().await;

    let after = stage.jobs();
    let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 1));
    let running = start(&after, &handler);
    until_status(&after, id, Status::Succeeded).await;
    running.stop().await;
}
