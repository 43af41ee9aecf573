//! What is old is forgotten in parts; counts by the day stay.
use souk_analytics::schedules;
use souk_testkit::on_both;
use souk_values::ProductId;

use crate::stage::{DAY, Stage};

on_both! {
    async fn old_viewers_and_old_hours_go_and_the_counts_of_days_stay(stage: Stage) {
        let product = ProductId::new();
        let today = stage.today();
        let ages = [0, 30, 31, 35, 92, 93, 200];
        for age in ages {
            stage
                .see(&[(product, "a", today - age * DAY), (product, "b", today - age * DAY)])
                .await;
        }
        let schedules = schedules(&stage.app);
        assert_eq!(schedules.len(), 1);
        (schedules[0].run)().await.unwrap();

        assert_eq!(stage.number("SELECT COUNT(*) FROM viewer_day").await, 2 * 2);
        assert_eq!(stage.number("SELECT COUNT(*) FROM visitor_day").await, 2 * 2);
        assert_eq!(stage.number("SELECT COUNT(*) FROM view_hour").await, 5);
        let report = stage.report(product, "day", (today - 300 * DAY, 0)).await;
        assert_eq!((report.total_views, report.unique_viewers, report.buckets.len()), (14, 2, 7));
        let viewers: Vec<_> = report.buckets.iter().map(|b| b.unique_viewers).collect();
        assert_eq!(viewers, [0, 0, 0, 0, 0, 2, 2]);
        // a second run finds nothing
        (schedules[0].run)().await.unwrap();
        assert_eq!(stage.report(product, "day", (0, 0)).await.all_time_views, 14);
    }

    async fn migrations_go_up_and_down(stage: Stage) {
        let lists: &[souk_storage::Migrations] = &[souk_analytics::migrations];
        souk_storage::roll_back(&stage.app.db, &[lists[0], souk_events::migrations]).await.unwrap();
        souk_storage::migrate(&stage.app.db, lists).await.unwrap();
        stage.see(&[(ProductId::new(), "a", stage.now())]).await;
        assert_eq!(stage.number("SELECT COUNT(*) FROM view_day").await, 1);
    }
}
