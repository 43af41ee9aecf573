//! Sales are counted exactly, whatever comes first and however often.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use souk_analytics::{OrderListener, consumers, invariants};
use souk_events::{Envelope, HandleError, bus, registry};
use souk_proto::analytics::v1::{
    Demand, GetSalesRequest, ListDemandRequest, Sales, SalesFigures, Window,
};
use souk_proto::events::v1::{OrderChanged, OrderedLine};
use souk_rpc::Failure;
use souk_testkit::on_both;
use souk_values::{OrderId, ProductId, UserId};
use tokio_util::sync::CancellationToken;

use crate::stage::{DAY, Stage};

/// Small, fast, and the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % sides
    }
}

/// One order and the steps of it that were told.
struct Bought {
    id: OrderId,
    user: UserId,
    currency: &'static str,
    lines: Vec<(ProductId, i64, i64)>,
    shipping: i64,
}

impl Bought {
    fn new(lines: &[(ProductId, i64, i64)], shipping: i64) -> Self {
        let (id, user) = (OrderId::new(), UserId::new());
        Self { id, user, currency: "EUR", lines: lines.to_vec(), shipping }
    }

    fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.2).sum::<i64>() + self.shipping
    }

    fn message(&self, version: u64) -> OrderChanged {
        OrderChanged {
            order_id: self.id.to_string(),
            user_id: self.user.to_string(),
            version,
            currency: self.currency.to_owned(),
            lines: self.lines.iter().map(ordered).collect(),
            total_minor: self.total(),
            shipping_minor: self.shipping,
            ..Default::default()
        }
    }

    fn confirmed(&self, stage: &Stage) -> Envelope {
        stage.envelope(registry::ORDER_CONFIRMED, &self.message(2))
    }

    fn refunded(
        &self,
        stage: &Stage,
        version: u64,
        minor: i64,
        units: &[(ProductId, i64, i64)],
    ) -> Envelope {
        let returned = units.iter().map(ordered).collect();
        let message = OrderChanged { refund_minor: minor, returned, ..self.message(version) };
        stage.envelope(registry::ORDER_REFUNDED, &message)
    }
}

fn ordered((product, quantity, paid): &(ProductId, i64, i64)) -> OrderedLine {
    OrderedLine {
        product_id: product.to_string(),
        quantity: *quantity,
        total_minor: *paid,
        ..Default::default()
    }
}

impl Stage {
    async fn sell(&self, events: &[Envelope]) {
        self.tell(&OrderListener, events).await.unwrap();
    }

    async fn sales(&self, product: &str, window: (i64, i64)) -> Sales {
        let window = Some(Window { from_us: window.0, to_us: window.1 });
        let asked = GetSalesRequest { window, product_id: product.to_owned() };
        self.client().get_sales(asked).await.unwrap().into_inner()
    }

    async fn demand(&self, sort: &str, limit: u32) -> Vec<Demand> {
        let asked = ListDemandRequest { window: None, sort: sort.to_owned(), limit };
        self.client().list_demand(asked).await.unwrap().into_inner().items
    }

    /// What `souk verify` would say.
    async fn breaches(&self) -> Vec<String> {
        let found = (invariants(&self.app)[0].check)().await.unwrap();
        found.breaches.into_iter().map(|(subject, _)| subject).collect()
    }
}

fn figures(currency: &str, orders: u64, units: i64, revenue_minor: i64) -> SalesFigures {
    SalesFigures { currency: currency.to_owned(), orders, units, revenue_minor }
}

fn days_later(event: Envelope, days: i64) -> Envelope {
    Envelope { time: event.time + chrono::Duration::days(days), ..event }
}

on_both! {
    async fn sales_are_reported_by_day_by_product_and_by_currency(stage: Stage) {
        let (mug, tea) = (ProductId::new(), ProductId::new());
        stage.hear(&[stage.changed(mug, 1, "Mug")]).await;
        let first = Bought::new(&[(mug, 2, 2_000), (tea, 1, 500)], 490);
        let second = Bought { user: first.user, ..Bought::new(&[(tea, 4, 2_000)], 0) };
        let yen = Bought { currency: "JPY", ..Bought::new(&[(mug, 1, 1_500)], 0) };
        let today = stage.today();
        stage
            .sell(&[
                days_later(first.confirmed(&stage), -1),
                second.confirmed(&stage),
                yen.confirmed(&stage),
                first.refunded(&stage, 3, 1_000, &[(mug, 1, 1_000)]),
            ])
            .await;
        let now = stage.now();
        stage.see(&[(mug, "usr_1", now), (tea, "a", now), (tea, "b", now)]).await;
        stage.see(&[(tea, "c", stage.now())]).await;

        let sales = stage.sales("", (0, 0)).await;
        assert_eq!(sales.totals, [figures("EUR", 2, 6, 3_990), figures("JPY", 1, 1, 1_500)]);
        let days: Vec<_> =
            sales.by_day.into_iter().map(|d| (d.start_us, d.figures.unwrap())).collect();
        assert_eq!(
            days,
            [
                (today - DAY, figures("EUR", 1, 3, 2_990)),
                (today, figures("EUR", 1, 3, 1_000)),
                (today, figures("JPY", 1, 1, 1_500)),
            ]
        );
        let top: Vec<_> = sales
            .top_products
            .into_iter()
            .map(|p| (p.product_id, p.name, p.figures.unwrap()))
            .collect();
        assert_eq!(
            top,
            [
                (tea.to_string(), String::new(), figures("EUR", 2, 5, 2_500)),
                (mug.to_string(), "Mug".to_owned(), figures("JPY", 1, 1, 1_500)),
                (mug.to_string(), "Mug".to_owned(), figures("EUR", 1, 1, 1_000)),
            ]
        );
        assert_eq!((sales.viewers, sales.buyers, sales.conversion_ppm), (4, 2, 500_000));

        let of_tea = stage.sales(&tea.to_string(), (today, 0)).await;
        assert_eq!(of_tea.totals, [figures("EUR", 1, 4, 2_000)]);
        assert_eq!((of_tea.viewers, of_tea.buyers), (3, 1));
        assert_eq!(of_tea.top_products.len(), 1);
        assert_eq!(stage.breaches().await, Vec::<String>::new());
    }

    async fn any_order_of_steps_comes_to_the_same_sums(stage: Stage) {
        let mut dice = Dice(3);
        let products: Vec<ProductId> = (0..6).map(|_| ProductId::new()).collect();
        let mut events = Vec::new();
        // the sum over the orders, by hand
        let (mut revenue, mut orders, mut buyers) = (0, 0, BTreeSet::new());
        let mut units: BTreeMap<ProductId, i64> = BTreeMap::new();
        for n in 0..60 {
            let mut lines: BTreeMap<ProductId, (i64, i64)> = BTreeMap::new();
            for _ in 0..=dice.throw(4) {
                let quantity = dice.throw(3) as i64 + 1;
                let line = (quantity, quantity * (dice.throw(900) as i64 + 1));
                lines.insert(products[dice.throw(products.len())], line);
            }
            let lines: Vec<_> = lines.into_iter().map(|(p, (q, m))| (p, q, m)).collect();
            let bought = Bought::new(&lines, dice.throw(2) as i64 * 490);
            let confirmed = n % 5 != 4;
            if confirmed {
                orders += 1;
                revenue += bought.total();
                buyers.insert(bought.user);
                lines.iter().for_each(|l| *units.entry(l.0).or_default() += l.1);
                let day = -(dice.throw(3) as i64);
                events.push(days_later(bought.confirmed(&stage), day));
            }
            let (product, quantity, paid) = lines[0];
            match dice.throw(3) {
                // one unit, then all the rest
                0 => {
                    let part = paid / quantity;
                    let one = bought.refunded(&stage, 3, part, &[(product, 1, part)]);
                    let rest: Vec<_> = lines.iter().map(|l| (l.0, l.1, 0)).collect();
                    let rest = bought.refunded(&stage, 4, bought.total() - part, &rest);
                    events.push(one);
                    events.push(days_later(rest, 1));
                    if confirmed {
                        revenue -= bought.total();
                        lines.iter().for_each(|l| *units.entry(l.0).or_default() -= l.1);
                    }
                }
                // money only
                1 => {
                    events.push(bought.refunded(&stage, 3, 1, &[]));
                    revenue -= i64::from(confirmed && bought.total() > 0);
                }
                _ => {}
            }
        }
        for round in 0..4_usize {
            for n in (1..events.len()).rev() {
                events.swap(n, dice.throw(n + 1));
            }
            for batch in events.chunks(7 + round * 20) {
                stage.sell(batch).await;
            }
            // also a second time: a step that is known changes nothing
            let window = (stage.now() - 10 * DAY, stage.now() + 5 * DAY);
            let sales = stage.sales("", window).await;
            let sold: i64 = units.values().sum();
            assert_eq!(sales.totals, [figures("EUR", orders, sold, revenue)], "round {round}");
            assert_eq!(sales.buyers, buyers.len() as u64);
            for (product, units) in &units {
                let of = stage.sales(&product.to_string(), window).await;
                assert_eq!(of.totals.iter().map(|f| f.units).sum::<i64>(), *units);
            }
            assert_eq!(stage.breaches().await, Vec::<String>::new());
            if round == 1 {
                // from nothing again, in another order
                let kept = ["sale_order", "sale_step", "order_sale", "product_sale"];
                for table in kept.into_iter().chain(["order_day", "product_day"]) {
                    stage.run(&format!("DELETE FROM {table}")).await;
                }
                stage.sell(&events).await;
            }
        }
    }

    async fn an_order_told_twice_counts_once(stage: Stage) {
        let mug = ProductId::new();
        let bought = Bought::new(&[(mug, 2, 2_000)], 0);
        let queue = registry::QUEUES.iter().find(|q| q.name == "analytics.order.v1").unwrap();
        let bus = bus::open("", stage.ground.dir()).await.unwrap();
        bus.declare(&[*queue]).await.unwrap();
        let confirmed = bought.confirmed(&stage);
        let refunded = bought.refunded(&stage, 3, 500, &[]);
        let noted = stage.envelope(registry::ORDER_NOTED, &bought.message(4));
        let events =
            [refunded.clone(), confirmed.clone(), confirmed.clone(), noted, refunded, confirmed];
        for sent in bus.publish(&events).await {
            sent.unwrap();
        }
        let stop = CancellationToken::new();
        let orders = consumers().into_iter().find(|c| c.queue == queue.name).unwrap();
        let running = tokio::spawn(orders.run(stage.app.db.clone(), bus.clone(), stop.clone()));
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for tick in 0.. {
            ticks.tick().await;
            let (waiting, dead) = bus.depth(queue.name).await.unwrap();
            let totals = stage.sales("", (0, 0)).await.totals;
            if (waiting, dead) == (0, 0) && totals == [figures("EUR", 1, 2, 1_500)] {
                break;
            }
            assert!(tick < 2_000, "{waiting} waiting, {dead} dead, {totals:?}");
        }
        stop.cancel();
        running.await.unwrap();
        assert_eq!(stage.breaches().await, Vec::<String>::new());
    }

    async fn two_listeners_at_once_lose_nothing(stage: Stage) {
        let products: Vec<ProductId> = (0..20).map(|_| ProductId::new()).collect();
        let lines: Vec<_> = products.iter().map(|p| (*p, 1, 100)).collect();
        let bought: Vec<_> = (0..8).map(|_| Bought::new(&lines, 10)).collect();
        let mut tasks = Vec::new();
        for n in 0..8_usize {
            // each listener has steps of all orders
            let mut events: Vec<_> = bought
                .iter()
                .enumerate()
                .map(|(k, b)| {
                    if k == n {
                        b.confirmed(&stage)
                    } else {
                        b.refunded(&stage, 3 + n as u64, 1, &[])
                    }
                })
                .collect();
            events.rotate_left(n);
            let app = stage.app.clone();
            tasks.push(tokio::spawn(async move {
                use souk_events::Handler;
                let tx = app.db.begin().await.unwrap();
                OrderListener.handle(&tx, &events, ()).await.unwrap();
                tx.commit().await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let sales = stage.sales("", (0, 0)).await;
        assert_eq!(sales.totals, [figures("EUR", 8, 160, 8 * (2_010 - 7))]);
        assert_eq!(stage.breaches().await, Vec::<String>::new());
    }

    async fn demand_is_set_against_stock(stage: Stage) {
        let [short, plenty, gone, digital] = [(); 4].map(|()| ProductId::new());
        stage
            .hear(&[
                stage.changed(short, 1, "short"),
                stage.changed(plenty, 1, "plenty"),
                stage.changed(gone, 1, "gone"),
                stage.changed(digital, 1, "digital"),
            ])
            .await;
        for (product, stock) in [(short, 3), (plenty, 500), (gone, 0)] {
            stage.hear(&[stage.moved(product, 1, stock)]).await;
        }
        stage.run("UPDATE product_seen SET stock = NULL WHERE name = 'digital'").await;
        // 30.5 days of a window that ends at noon
        let bought = Bought::new(&[(short, 61, 100), (digital, 5, 100)], 0);
        stage.sell(&[bought.confirmed(&stage)]).await;
        for n in 0..12 {
            let viewer = format!("v{n}");
            stage.see(&[(gone, &viewer, stage.now()), (short, &viewer, stage.now())]).await;
        }
        stage.see(&[(gone, "last", stage.now())]).await;

        let items = stage.demand("", 0).await;
        let cover: Vec<_> =
            items.iter().map(|d| (d.name.as_str(), d.cover_days, d.signal.as_str())).collect();
        assert_eq!(cover[0], ("short", Some(1.5), "high_demand_low_stock"));
        assert_eq!(cover[1], ("digital", None, ""));
        assert!(cover.contains(&("gone", None, "high_demand_low_stock")), "{cover:?}");
        assert!(cover.contains(&("plenty", None, "low_demand_high_stock")), "{cover:?}");
        assert_eq!(items[0].conversion_ppm, 61_000_000 / 12);
        assert_eq!((items[0].stock, items[0].units_sold, items[0].views), (Some(3), 61, 12));
        assert_eq!(items[1].stock, None);
        let names = |items: Vec<Demand>| items.into_iter().map(|d| d.name).collect::<Vec<_>>();
        assert_eq!(names(stage.demand("views", 2).await), ["gone", "short"]);
        assert_eq!(names(stage.demand("sales", 2).await), ["short", "digital"]);
    }

    async fn broken_questions_and_poison_are_refused(stage: Stage) {
        let asked = GetSalesRequest {
            product_id: "42".into(),
            window: Some(Window { from_us: 5, to_us: 4 }),
        };
        let failure = Failure::from(stage.client().get_sales(asked).await.unwrap_err());
        let fields: Vec<_> = failure.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["product_id", "from"]);
        let asked = ListDemandRequest { sort: "age".into(), limit: 101, window: None };
        let failure = Failure::from(stage.client().list_demand(asked).await.unwrap_err());
        let fields: Vec<_> = failure.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["sort", "limit"]);

        let bought = Bought::new(&[(ProductId::new(), 1, 100)], 0);
        let good = bought.message(2);
        let no_id = OrderChanged { order_id: "x".into(), ..good.clone() };
        let no_user = OrderChanged { user_id: String::new(), ..good.clone() };
        let shells = OrderChanged { currency: "SHL".into(), ..good.clone() };
        let paid_to_take = OrderChanged { total_minor: -1, ..good.clone() };
        let mut no_product = good.clone();
        no_product.lines[0].product_id = "42".into();
        let mut less = good.clone();
        less.lines[0].quantity = -1;
        let mut events: Vec<_> = [no_id, no_user, shells, paid_to_take, no_product, less]
            .iter()
            .map(|m| stage.envelope(registry::ORDER_CONFIRMED, m))
            .collect();
        events.push(stage.envelope("souk.orders.order.eaten.v1", &good));
        let torn = vec![0xff].into();
        events.push(Envelope { payload: torn, ..stage.envelope(registry::ORDER_REFUNDED, &good) });
        for event in events {
            let told = stage.tell(&OrderListener, &[event]).await;
            assert!(matches!(told, Err(HandleError::Poisoned(_))), "{told:?}");
        }
        assert_eq!(stage.number("SELECT COUNT(*) FROM sale_order").await, 0);
    }

    async fn damage_to_the_figures_is_found(stage: Stage) {
        let mug = ProductId::new();
        let bought = Bought::new(&[(mug, 2, 2_000)], 100);
        stage.sell(&[bought.confirmed(&stage)]).await;
        assert_eq!(stage.breaches().await, Vec::<String>::new());
        let day = stage.today() / DAY;
        stage.run("UPDATE order_day SET revenue = revenue + 1").await;
        assert_eq!(stage.breaches().await, [format!("day/{day} EUR")]);
        stage.run("UPDATE order_day SET revenue = revenue - 1").await;
        stage.run("UPDATE product_day SET units = 3").await;
        assert_eq!(stage.breaches().await, [format!("product/{mug} day/{day} EUR")]);
        stage.run("UPDATE product_sale SET units = 3").await;
        assert_eq!(stage.breaches().await, [format!("order/{}", bought.id)]);
    }
}
