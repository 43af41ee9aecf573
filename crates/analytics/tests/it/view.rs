//! Views are counted exactly.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use souk_analytics::{ViewListener, consumers};
use souk_events::{Envelope, HandleError, bus, registry};
use souk_proto::analytics::v1::{GetTotalsRequest, Window};
use souk_proto::events::v1::{ProductView, ProductsViewed};
use souk_testkit::on_both;
use souk_values::ProductId;
use tokio_util::sync::CancellationToken;

use crate::stage::{DAY, HOUR, Stage};

/// Small, fast, and the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % sides
    }
}

on_both! {
    async fn views_are_counted_by_hour_by_day_and_by_viewer(stage: Stage) {
        let (product, other) = (ProductId::new(), ProductId::new());
        let today = stage.today();
        stage
            .see(&[
                (product, "usr_1", today + HOUR),
                (product, "usr_1", today + HOUR + 5),
                (product, "vis_2", today + 2 * HOUR),
                (product, "usr_1", today - 1),
                (other, "usr_3", today),
            ])
            .await;
        // a second batch adds to the first
        stage.see(&[(product, "vis_2", today + 2 * HOUR + 9)]).await;

        let by_day = stage.report(product, "", (0, 0)).await;
        let days: Vec<_> =
            by_day.buckets.iter().map(|b| (b.start_us, b.views, b.unique_viewers)).collect();
        assert_eq!(days, [(today - DAY, 1, 1), (today, 4, 2)]);
        assert_eq!((by_day.total_views, by_day.unique_viewers, by_day.all_time_views), (5, 2, 5));

        let by_hour = stage.report(product, "hour", (today, 0)).await;
        let hours: Vec<_> =
            by_hour.buckets.iter().map(|b| (b.start_us, b.views, b.unique_viewers)).collect();
        assert_eq!(hours, [(today + HOUR, 2, 0), (today + 2 * HOUR, 2, 0)]);
        assert_eq!(
            (by_hour.total_views, by_hour.unique_viewers, by_hour.all_time_views),
            (4, 2, 5)
        );

        let first = format!(
            "SELECT first_at FROM viewer_day WHERE day = {} AND viewer = 'vis_2'",
            today / DAY
        );
        let last = first.replace("first_at", "last_at");
        assert_eq!(stage.number(&first).await, today + 2 * HOUR);
        assert_eq!(stage.number(&last).await, today + 2 * HOUR + 9);
    }

    async fn thousands_of_random_views_add_up(stage: Stage) {
        let mut dice = Dice(7);
        let products: Vec<ProductId> = (0..300).map(|_| ProductId::new()).collect();
        let viewers: Vec<String> = (0..40).map(|n| format!("vis_{n}")).collect();
        let start = stage.today() - 2 * DAY;
        let mut views_of: BTreeMap<ProductId, u64> = BTreeMap::new();
        let mut viewers_of: BTreeMap<ProductId, BTreeSet<usize>> = BTreeMap::new();
        let mut events: Vec<Envelope> = Vec::new();
        for _ in 0..8 {
            let mut views = Vec::new();
            for _ in 0..700 {
                let product = products[dice.throw(products.len())];
                let viewer = dice.throw(viewers.len());
                let at = start + (dice.throw(60) as i64) * HOUR;
                *views_of.entry(product).or_default() += 1;
                viewers_of.entry(product).or_default().insert(viewer);
                views.push((product, viewers[viewer].as_str(), at));
            }
            events.push(stage.viewed(&views));
        }
        stage.tell(&ViewListener, &events[..5]).await.unwrap();
        stage.tell(&ViewListener, &events[5..]).await.unwrap();

        for product in products.iter().take(20) {
            let report = stage.report(*product, "hour", (0, 0)).await;
            assert_eq!(report.total_views, views_of[product]);
            assert_eq!(report.all_time_views, views_of[product]);
            assert_eq!(report.unique_viewers, viewers_of[product].len() as u64);
            let by_day = stage.report(*product, "day", (0, 0)).await;
            assert_eq!(by_day.total_views, views_of[product]);
        }
        let mut expected: Vec<_> = views_of.iter().map(|(id, n)| (*n, *id)).collect();
        expected.sort_by_key(|(views, id)| (std::cmp::Reverse(*views), *id));
        let expected: Vec<_> = expected.iter().map(|(n, id)| (id.to_string(), *n)).collect();
        for window in [(0, 0), (stage.now() - 3 * DAY, 0)] {
            let top = stage.top(100, window).await;
            let top: Vec<_> = top.into_iter().map(|t| (t.product_id, t.views)).collect();
            assert_eq!(top, expected[..100]);
        }
        let totals = stage.client().get_totals(GetTotalsRequest::default()).await.unwrap();
        let totals = totals.into_inner();
        assert_eq!((totals.views, totals.unique_viewers), (5_600, 40));
        assert_eq!(totals.products_viewed, views_of.len() as u64);
        assert_eq!(totals.by_day.iter().map(|day| day.views).sum::<u64>(), 5_600);
        assert!(totals.by_day.iter().all(|day| day.unique_viewers == 40));
    }

    async fn a_batch_delivered_twice_counts_once(stage: Stage) {
        let product = ProductId::new();
        let queue = registry::QUEUES.iter().find(|q| q.name == "analytics.view.v1").unwrap();
        let bus = bus::open("", stage.ground.dir()).await.unwrap();
        bus.declare(&[*queue]).await.unwrap();
        let twice = stage.viewed(&[(product, "usr_1", stage.now()), (product, "usr_2", 5)]);
        let bad = stage.envelope(
            registry::PRODUCTS_VIEWED,
            &ProductsViewed {
                views: vec![ProductView { product_id: "prd_x".into(), ..Default::default() }],
            },
        );
        let last = stage.viewed(&[(product, "usr_3", stage.now())]);
        for sent in bus.publish(&[twice.clone(), twice.clone(), bad, twice, last]).await {
            sent.unwrap();
        }
        let stop = CancellationToken::new();
        let views = consumers().into_iter().find(|c| c.queue == queue.name).unwrap();
        let running = tokio::spawn(views.run(stage.app.db.clone(), bus.clone(), stop.clone()));
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for tick in 0.. {
            ticks.tick().await;
            let (waiting, dead) = bus.depth(queue.name).await.unwrap();
            let views = stage.report(product, "", (0, 0)).await.all_time_views;
            if (waiting, dead, views) == (0, 1, 3) {
                break;
            }
            assert!(tick < 2_000, "{waiting} waiting, {dead} dead, {views} counted");
        }
        stop.cancel();
        running.await.unwrap();
        assert_eq!(stage.number("SELECT COUNT(*) FROM viewer_day").await, 3);
    }

    async fn what_is_no_view_is_poison_and_counts_nothing(stage: Stage) {
        let good = ProductView {
            product_id: ProductId::new().to_string(),
            viewer: "usr_1".into(),
            at_us: stage.now(),
        };
        let bad_id = ProductView { product_id: "prd_1".into(), ..good.clone() };
        let no_viewer = ProductView { viewer: String::new(), ..good.clone() };
        let long_viewer = ProductView { viewer: "x".repeat(65), ..good.clone() };
        let nul_viewer = ProductView { viewer: "usr\0".into(), ..good.clone() };
        for bad in [bad_id, no_viewer, long_viewer, nul_viewer] {
            let batch = ProductsViewed { views: vec![good.clone(), bad.clone()] };
            let event = stage.envelope(registry::PRODUCTS_VIEWED, &batch);
            let told = stage.tell(&ViewListener, &[event]).await;
            assert!(matches!(told, Err(HandleError::Poisoned(_))), "{bad:?}");
        }
        let mut rubbish = stage.viewed(&[]);
        rubbish.payload = vec![0xff, 0xff, 0xff].into();
        let told = stage.tell(&ViewListener, &[rubbish]).await;
        assert!(matches!(told, Err(HandleError::Poisoned(_))));
        assert_eq!(stage.number("SELECT COUNT(*) FROM view_hour").await, 0);
        stage.see(&[]).await;
    }

    async fn a_view_from_the_future_counts_when_it_was_told(stage: Stage) {
        let product = ProductId::new();
        let now = stage.now();
        stage
            .see(&[(product, "a", i64::MAX), (product, "b", now + DAY + 1), (product, "c", -1)])
            .await;
        let report = stage.report(product, "hour", (now - HOUR, now + HOUR)).await;
        assert_eq!(report.buckets.len(), 1);
        assert_eq!((report.buckets[0].start_us, report.buckets[0].views), (now - now % HOUR, 3));
    }

    async fn two_consumers_at_once_lose_nothing(stage: Stage) {
        const VIEWERS: [&str; 3] = ["usr_1", "a", "usr_22"];
        let mut dice = Dice(1);
        let products: Vec<ProductId> = (0..50).map(|_| ProductId::new()).collect();
        let mut tasks = Vec::new();
        for n in 0..8_usize {
            let mut views = Vec::new();
            for (product, viewer) in products.iter().flat_map(|p| VIEWERS.map(|v| (*p, v))) {
                views.push((product, viewer, stage.now() - dice.throw(9_999) as i64));
            }
            views.rotate_left(n * 12);
            let event = stage.viewed(&views);
            let app = stage.app.clone();
            tasks.push(tokio::spawn(async move {
                use souk_events::Handler;
                let tx = app.db.begin().await.unwrap();
                ViewListener.handle(&tx, &[event], ()).await.unwrap();
                tx.commit().await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let window = Some(Window::default());
        let totals = stage.client().get_totals(GetTotalsRequest { window }).await.unwrap();
        let totals = totals.into_inner();
        assert_eq!((totals.views, totals.unique_viewers), (1_200, 3));
    }
}
