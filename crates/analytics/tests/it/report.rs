//! Reports keep to their windows and name what is wrong with a question.
use souk_analytics::routes;
use souk_auth::{Permission, Rule};
use souk_proto::analytics::v1::{
    GetProductReportRequest, GetTotalsRequest, ListTopProductsRequest, Window,
};
use souk_rpc::{Failure, Kind};
use souk_testkit::on_both;
use souk_values::ProductId;
use tonic::Status;

use crate::stage::{DAY, HOUR, Stage};

/// The broken fields of an answer.
fn fields(status: Status) -> Vec<String> {
    let failure = Failure::from(status);
    assert_eq!((failure.kind, failure.reason.as_str()), (Kind::Invalid, "invalid_fields"));
    failure.violations.into_iter().map(|violation| violation.field).collect()
}

on_both! {
    async fn the_top_is_by_views_then_by_age_of_the_product(stage: Stage) {
        let mut ids: Vec<ProductId> = (0..4).map(|_| ProductId::new()).collect();
        ids.sort();
        let now = stage.now();
        let old = now - 20 * DAY;
        stage
            .see(&[
                (ids[3], "a", now),
                (ids[3], "a", now),
                (ids[1], "a", now),
                (ids[2], "a", now),
                (ids[0], "a", old),
                (ids[0], "a", old),
                (ids[0], "b", old),
            ])
            .await;
        let order = |top: Vec<souk_proto::analytics::v1::TopProduct>| -> Vec<_> {
            top.into_iter().map(|t| (t.product_id, t.views)).collect()
        };
        let line = |n: usize, views: u64| (ids[n].to_string(), views);
        assert_eq!(
            order(stage.top(0, (0, 0)).await),
            [line(0, 3), line(3, 2), line(1, 1), line(2, 1)]
        );
        assert_eq!(order(stage.top(2, (0, 0)).await), [line(0, 3), line(3, 2)]);
        let week = (now - 7 * DAY, now + 1);
        assert_eq!(
            order(stage.top(10, (week.0 + 1, week.1)).await),
            [line(3, 2), line(1, 1), line(2, 1)]
        );
        assert_eq!(order(stage.top(10, (now - 40 * DAY, now - 10 * DAY)).await), [line(0, 3)]);
        assert!(stage.top(10, (now - 3 * DAY, now - DAY)).await.is_empty());
    }

    async fn a_short_window_of_the_top_is_exact_to_the_hour(stage: Stage) {
        let product = ProductId::new();
        let now = stage.now();
        stage.see(&[(product, "a", now - 1), (product, "a", now - 3 * HOUR)]).await;
        assert_eq!(stage.top(1, (now - HOUR, now)).await[0].views, 1);
        assert_eq!(stage.top(1, (now - 3 * HOUR, now)).await[0].views, 2);
    }

    async fn windows_are_inclusive_at_their_begin_and_exclusive_at_their_end(stage: Stage) {
        let product = ProductId::new();
        let today = stage.today();
        stage
            .see(&[(product, "a", today - DAY), (product, "a", today - 1), (product, "b", today)])
            .await;
        let yesterday = stage.report(product, "day", (today - DAY, today)).await;
        assert_eq!(
            (yesterday.total_views, yesterday.unique_viewers, yesterday.buckets.len()),
            (2, 1, 1)
        );
        assert_eq!(yesterday.all_time_views, 3);
        let hour = stage.report(product, "hour", (today - HOUR, today)).await;
        assert_eq!(hour.total_views, 1);
        let window = Some(Window { from_us: today, to_us: today + DAY });
        let totals =
            stage.client().get_totals(GetTotalsRequest { window }).await.unwrap().into_inner();
        assert_eq!((totals.views, totals.unique_viewers, totals.products_viewed), (1, 1, 1));
        assert_eq!(totals.by_day.len(), 1);
    }

    async fn a_product_that_nobody_saw_has_an_empty_report(stage: Stage) {
        let report = stage.report(ProductId::new(), "hour", (0, 0)).await;
        assert_eq!((report.total_views, report.unique_viewers, report.all_time_views), (0, 0, 0));
        assert!(report.buckets.is_empty());
        let totals = stage.client().get_totals(GetTotalsRequest::default()).await.unwrap();
        assert_eq!(totals.into_inner(), Default::default());
        assert!(stage.top(0, (0, 0)).await.is_empty());
    }

    async fn every_broken_field_is_named(stage: Stage) {
        let mut client = stage.client();
        let window = |from_us, to_us| Some(Window { from_us, to_us });
        let all_wrong = GetProductReportRequest {
            product_id: "42".into(),
            by: "week".into(),
            window: window(5, 4),
        };
        let status = client.get_product_report(all_wrong).await.unwrap_err();
        assert_eq!(fields(status), ["product_id", "by", "from"]);

        let now = stage.now();
        let mut asked = GetProductReportRequest {
            product_id: ProductId::new().to_string(),
            by: "hour".into(),
            window: window(now - 92 * DAY, now),
        };
        assert!(client.get_product_report(asked.clone()).await.is_ok());
        asked.window = window(now - 92 * DAY - 1, now);
        let status = client.get_product_report(asked.clone()).await.unwrap_err();
        assert_eq!(fields(status), ["from"]);
        asked.by = "day".into();
        assert!(client.get_product_report(asked.clone()).await.is_ok());
        asked.window = window(now - 3_660 * DAY - 1, now);
        let status = client.get_product_report(asked.clone()).await.unwrap_err();
        assert_eq!(fields(status), ["from"]);
        asked.window = window(0, i64::MAX);
        let status = client.get_product_report(asked).await.unwrap_err();
        assert_eq!(fields(status), ["to"]);

        let top = ListTopProductsRequest { limit: 101, window: window(-1, 0) };
        let status = client.list_top_products(top).await.unwrap_err();
        assert_eq!(fields(status), ["limit", "from"]);
        let totals = GetTotalsRequest { window: window(1, now) };
        let status = client.get_totals(totals).await.unwrap_err();
        assert_eq!(fields(status), ["from"]);
    }

    async fn every_method_wants_the_permission_to_read_statistics_or_orders(stage: Stage) {
        let (_, methods) = routes(&stage.app);
        let names: Vec<_> =
            methods.iter().map(|(path, _)| path.rsplit_once('/').unwrap()).collect();
        assert_eq!(
            names,
            [
                ("/souk.analytics.v1.ReportService", "GetProductReport"),
                ("/souk.analytics.v1.ReportService", "ListTopProducts"),
                ("/souk.analytics.v1.ReportService", "GetTotals"),
                ("/souk.analytics.v1.ReportService", "GetSales"),
                ("/souk.analytics.v1.ReportService", "ListDemand"),
            ]
        );
        for (path, rule) in methods {
            // money is for those who see the orders
            let sales = path.ends_with("/GetSales");
            let needed = if sales { Permission::OrdersRead } else { Permission::StatsRead };
            assert_eq!(*rule, Rule::Permission(needed), "{path}");
        }
    }
}
