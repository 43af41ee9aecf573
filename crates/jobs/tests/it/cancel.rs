//! Jobs that an admin does not want any more.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use souk_jobs::{JobHandler, Status};
use souk_testkit::on_both;
use souk_values::{JobId, Page};

use crate::stage::{Counting, Stage, start, until_done, until_status};

on_both! {
    async fn a_waiting_job_is_cancelled_and_never_begun(stage: Stage) {
        let jobs = stage.jobs();
        let id = stage.create(&jobs, 1).await;
        let job = jobs.cancel(id).await.unwrap().unwrap();
        assert_eq!((job.status, job.ended_at), (Status::Cancelled, Some(stage.ground.clock.now())));

        let work = Arc::new(Counting::new(&stage, 9));
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let other = stage.create(&jobs, 1).await;
        until_status(&jobs, other, Status::Succeeded).await;
        running.stop().await;
        assert_eq!(jobs.get(id).await.unwrap().unwrap().attempts, 0);
    }

    async fn a_job_cancelled_before_its_time_is_never_begun(stage: Stage) {
        let jobs = stage.jobs();
        let at = stage.ground.clock.now() + chrono::Duration::minutes(1);
        let id = stage.create_later(&jobs, 1, Some(at)).await;
        assert_eq!(jobs.get(id).await.unwrap().unwrap().run_at, at);
        let work = Arc::new(Counting::new(&stage, 9));
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        stage.pass(59);
        assert_eq!(jobs.cancel(id).await.unwrap().unwrap().status, Status::Cancelled);
        stage.pass(3_600);
        // the runner looked after its time, and took another
        let other = stage.create(&jobs, 1).await;
        until_status(&jobs, other, Status::Succeeded).await;
        running.stop().await;
        let job = jobs.get(id).await.unwrap().unwrap();
        assert_eq!((job.status, job.attempts, job.started_at), (Status::Cancelled, 0, None));
        // once more: it leaves the history
        assert!(jobs.cancel(id).await.unwrap().is_some());
        assert!(jobs.get(id).await.unwrap().is_none());
    }

    async fn a_running_job_notices_and_keeps_what_it_did(stage: Stage) {
        let jobs = stage.jobs();
        let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 2));
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 5).await;
        until_done(&jobs, id, 2).await;
        assert_eq!(jobs.cancel(id).await.unwrap().unwrap().status, Status::Running);
        let job = until_status(&jobs, id, Status::Cancelled).await;
        assert_eq!((job.done, job.attempts), (2, 1));
        running.stop().await;
    }

    async fn a_cancel_in_another_process_is_noticed_by_the_next_save(stage: Stage) {
        let jobs = stage.jobs();
        let work = Arc::new(Counting::new(&stage, 1));
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 9).await;
        until_done(&jobs, id, 1).await;
        stage.jobs().cancel(id).await.unwrap().unwrap();
        work.gate.add_permits(8);
        let job = until_status(&jobs, id, Status::Cancelled).await;
        assert!(job.done <= 2, "{}", job.done);
        running.stop().await;
    }

    async fn a_cancelled_job_of_a_crashed_runner_is_not_begun_again(stage: Stage) {
        let jobs = stage.jobs();
        let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 1));
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 2).await;
        until_done(&jobs, id, 1).await;
        running.crash().await;
        jobs.cancel(id).await.unwrap().unwrap();
        stage.pass(31);
        let work = Arc::new(Counting::new(&stage, 9));
        let handler: Arc<dyn JobHandler> = work.clone();
        let running = start(&jobs, &handler);
        until_status(&jobs, id, Status::Cancelled).await;
        assert_eq!(work.attempts.load(Ordering::SeqCst), 0);
        running.stop().await;
    }

    async fn an_ended_job_is_removed_with_its_results(stage: Stage) {
        let jobs = stage.jobs();
        let handler: Arc<dyn JobHandler> = Arc::new(Counting::new(&stage, 9));
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 3).await;
        until_status(&jobs, id, Status::Succeeded).await;
        running.stop().await;
        assert_eq!(jobs.cancel(id).await.unwrap().unwrap().status, Status::Succeeded);
        assert!(jobs.get(id).await.unwrap().is_none());
        assert!(jobs.results(id, &Page::new(0, "").unwrap()).await.unwrap().0.is_empty());
        assert!(jobs.cancel(id).await.unwrap().is_none());
        assert!(jobs.cancel(JobId::new()).await.unwrap().is_none());
    }
}
