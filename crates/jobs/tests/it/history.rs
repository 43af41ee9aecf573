//! Lists of jobs and of results, page by page.
use std::sync::Arc;

use souk_jobs::{ItemResult, Job, JobContext, JobError, JobHandler, Progress, Status};
use souk_testkit::on_both;
use souk_values::Page;

use crate::stage::{Stage, start, until_status};

/// Saves all results at once, some of them twice.
struct Bulk;

#[async_trait::async_trait]
impl JobHandler for Bulk {
    fn kind(&self) -> &'static str {
        "count"
    }
    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let items = job.params["items"].as_u64().unwrap();
        let result = |position: u64, outcome: &str| ItemResult {
            position,
            key: format!("sku-{position}"),
            outcome: outcome.to_owned(),
            detail: String::new(),
        };
        let mut results: Vec<_> = (1..=items).map(|n| result(n, "created")).collect();
        results.push(result(1, "updated"));
        ctx.save_now(Progress { done: items, results, ..Default::default() }).await?;
        let again = vec![result(2, "refused")];
        ctx.save_now(Progress { done: items, results: again, ..Default::default() }).await?;
        Ok(())
    }
}

on_both! {
    async fn thousands_of_results_are_saved_at_once_and_read_page_by_page(stage: Stage) {
        let jobs = stage.jobs();
        let handler: Arc<dyn JobHandler> = Arc::new(Bulk);
        let running = start(&jobs, &handler);
        let id = stage.create(&jobs, 2_345).await;
        until_status(&jobs, id, Status::Succeeded).await;
        running.stop().await;

        let mut page = Page::new(100, "").unwrap();
        let mut all = Vec::new();
        loop {
            let (results, next) = jobs.results(id, &page).await.unwrap();
            assert!(results.len() <= 100);
            all.extend(results);
            match next {
                Some(next) => page.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(all.len(), 2_345);
        assert!(all.iter().zip(1..).all(|(result, n)| result.position == n));
        assert_eq!((all[0].outcome.as_str(), all[1].outcome.as_str()), ("updated", "refused"));
        assert_eq!(all[2_344].key, "sku-2345");
    }

    async fn the_list_is_newest_first_and_knows_its_cursors(stage: Stage) {
        let jobs = stage.jobs();
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(stage.create(&jobs, 1).await);
        }
        ids.reverse();
        let (first, next) = jobs.list(&Page::new(3, "").unwrap()).await.unwrap();
        let page = Page { limit: 3, cursor: next };
        let (second, none) = jobs.list(&page).await.unwrap();
        assert!(none.is_none());
        let listed: Vec<_> = first.iter().chain(&second).map(|j| j.id).collect();
        assert_eq!(listed, ids);
        assert_eq!((first[0].kind.as_str(), first[0].created_by.as_str()), ("count", "usr_test"));

        let foreign = Page::new(3, souk_values::Cursor::encode(&"x").as_str()).unwrap();
        assert!(matches!(jobs.list(&foreign).await, Err(sea_orm::DbErr::Type(_))));
        assert!(matches!(jobs.results(ids[0], &foreign).await, Err(sea_orm::DbErr::Type(_))));
    }

    async fn migrations_go_up_and_down(stage: Stage) {
        souk_storage::roll_back(&stage.ground.db, &[souk_jobs::migrations]).await.unwrap();
        souk_storage::migrate(&stage.ground.db, &[souk_jobs::migrations]).await.unwrap();
        assert!(stage.jobs().list(&Page::new(0, "").unwrap()).await.unwrap().0.is_empty());
    }
}
