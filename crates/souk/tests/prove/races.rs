//! A crowd that wants the same things at the same moment.
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::join_all;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::amounts::amount;
use crate::buyers::{Buyer, crowd, crowded, stock, stocked, verified};
use crate::evidence::show;
use crate::house::{Ground, House};

/// On the shelf at the beginning of each run.
const UNITS: u32 = 10;
const DECLINED: &str = "4000000000000002";

/// What came of many attempts.
#[derive(Default)]
struct Table {
    rows: Vec<(String, Counts)>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    runs: u64,
    attempted: u64,
    ok: u64,
    refused: u64,
    declined: u64,
    lost: u64,
    unexpected: u64,
    doubled: u64,
}

impl Table {
    fn add(&mut self, name: &str, counts: Counts) {
        self.rows.push((name.to_owned(), counts));
    }

    /// Fails with the table if anything was lost, doubled or not as said.
    fn must_hold(&self) {
        for (name, c) in &self.rows {
            assert!(c.ok > 0, "{name}: nobody got anything\n{self}");
            assert_eq!([c.lost, c.unexpected, c.doubled], [0, 0, 0], "{name}\n{self}");
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | runs | attempted | ok | refused | declined | lost | unexpected | doubled |"
        )?;
        writeln!(f, "| --- | --: | --: | --: | --: | --: | --: | --: | --: |")?;
        for (name, c) in &self.rows {
            writeln!(
                f,
                "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
                c.runs, c.attempted, c.ok, c.refused, c.declined, c.lost, c.unexpected, c.doubled
            )?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_after_the_last_units_gets_exactly_these_on_sqlite() {
    crowd_after_the_last_units(Ground::folder(), "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_after_the_last_units_gets_exactly_these_on_servers() {
    crowd_after_the_last_units(Ground::servers().await, "PostgreSQL and RabbitMQ").await;
}

async fn crowd_after_the_last_units(ground: Ground, store: &str) {
    let mut house = House::whole(crowded(ground)).await;
    let client = house.client.clone();
    let buyers = crowd(&client, amount(100, 1_000)).await;
    let mut table = Table::default();
    let mut single = Counts::default();
    for run in 0..amount(2, 50) {
        let product = stocked(&client, &format!("Last ones {run}"), "9.99", UNITS).await;
        let answers = released(&buyers, |buyer, _| {
            let product = product.clone();
            async move {
                buyer.empty_cart().await;
                let (status, cart) = buyer.add(&product, 1).await;
                assert_eq!(status, 200, "{cart}");
            }
        })
        .await;
        single.runs += 1;
        for (status, answer) in answers {
            count(&mut single, status, &answer, "out_of_stock");
        }
        let (on_hand, reserved) = settled(&client, &product).await;
        let sold = i64::from(UNITS) - on_hand;
        single.unexpected += u64::from(on_hand != 0 || reserved != 0 || sold != i64::from(UNITS));
    }
    let expected = single.runs * u64::from(UNITS);
    single.lost += expected.saturating_sub(single.ok);
    single.doubled += single.ok.saturating_sub(expected);
    table.add("last 10 units", single);
    table.add("baskets of three, 30 % declined", baskets(&house, &buyers).await);
    show("races", &format!("{} buyers at once, {store}", buyers.len()), &table);
    table.must_hold();
    println!("{}", verified(&house).await);
    house.must_live();
}

/// Three SKUs in any order; some cards are declined; what is left and what was sold are all.
async fn baskets(house: &House, buyers: &[Buyer]) -> Counts {
    let client = &house.client;
    let mut counts = Counts::default();
    let mut broken_cards = BTreeMap::new();
    for (number, buyer) in buyers.iter().enumerate() {
        if number % 10 < 3 {
            broken_cards.insert(number, buyer.card(DECLINED).await);
        }
    }
    for run in 0..amount(2, 50) {
        let mut products = Vec::new();
        for name in ["Cup", "Saucer", "Spoon"] {
            products.push(stocked(client, &format!("{name} {run}"), "3.33", UNITS).await);
        }
        let barrier = Arc::new(Barrier::new(buyers.len()));
        let tasks = buyers.iter().enumerate().map(|(number, buyer)| {
            let (buyer, barrier) = (buyer.clone(), barrier.clone());
            let (mut wanted, card) = (products.clone(), broken_cards.get(&number).cloned());
            async move {
                buyer.empty_cart().await;
                wanted.shuffle(&mut rand::rng());
                let quantity = rand::rng().random_range(1..=2);
                for product in &wanted {
                    let (status, cart) = buyer.add(product, quantity).await;
                    assert_eq!(status, 200, "{cart}");
                }
                barrier.wait().await;
                let body = card.as_ref().map(|token| json!({ "payment_method": token }));
                let (status, answer) = buyer.order(body).await;
                (status, answer, quantity, card.is_some())
            }
        });
        let answers = join_all(tasks.map(tokio::spawn)).await;
        counts.runs += 1;
        let mut sold = 0;
        for answer in answers {
            let (status, answer, quantity, broken) = answer.unwrap();
            count(&mut counts, status, &answer, "out_of_stock");
            if status == 201 {
                sold += quantity;
                counts.unexpected += u64::from(broken);
            }
        }
        for product in &products {
            let (on_hand, reserved) = settled(client, product).await;
            if on_hand + sold != i64::from(UNITS) || reserved != 0 {
                counts.unexpected += 1;
                eprintln!("{product}: {on_hand} on hand, {reserved} reserved, {sold} sold");
            }
        }
    }
    counts
}

/// The stock once nothing is reserved any more.
async fn settled(client: &crate::client::Client, product: &str) -> (i64, i64) {
    let mut found = stock(client, product).await;
    crate::process::until(std::time::Duration::from_secs(30), async || {
        found = stock(client, product).await;
        found.1 == 0
    })
    .await;
    found
}

/// Everybody prepares, then all order at once.
async fn released<F: Future<Output = ()> + Send + 'static>(
    buyers: &[Buyer],
    prepare: impl Fn(Buyer, usize) -> F,
) -> Vec<(u16, Value)> {
    let barrier = Arc::new(Barrier::new(buyers.len()));
    let tasks = buyers.iter().enumerate().map(|(number, buyer)| {
        let (ready, barrier, buyer) =
            (prepare(buyer.clone(), number), barrier.clone(), buyer.clone());
        tokio::spawn(async move {
            ready.await;
            barrier.wait().await;
            buyer.order(None).await
        })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn count(counts: &mut Counts, status: u16, answer: &Value, refusal: &str) {
    counts.attempted += 1;
    let word = answer["code"].as_str().or(answer["reason"].as_str()).unwrap_or_default();
    match status {
        201 => counts.ok += 1,
        402 => counts.declined += 1,
        409 if word == refusal => counts.refused += 1,
        _ => {
            counts.unexpected += 1;
            eprintln!("unexpected: {status} {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_requests_with_one_key_make_one_order() {
    const AT_ONCE: usize = 50;
    let house = House::whole(crowded(Ground::folder())).await;
    let client = house.client.clone();
    let buyers = crowd(&client, 10).await;
    let other = crowd(&client, 1).await.remove(0);
    let product = stocked(&client, "Repeated", "5.00", 100_000).await;
    let mut counts = Counts::default();
    for n in 0..amount(10, 200) {
        let buyer = &buyers[n as usize % buyers.len()];
        buyer.empty_cart().await;
        assert_eq!(buyer.add(&product, 1).await.0, 200);
        let key = format!("key-{n}");
        let body = json!({ "note": format!("order {n}") });
        let posts = (0..AT_ONCE).map(|_| {
            let (buyer, key, body) = (buyer.clone(), key.clone(), body.clone());
            tokio::spawn(async move {
                loop {
                    let answer = buyer.send("POST", "/api/orders", Some(&key), Some(&body)).await;
                    let (status, bytes) = answer.expect("an answer");
                    let word: Value = serde_json::from_slice(&bytes).unwrap();
                    if word["code"] != "idempotency_key_in_flight" {
                        return (status, bytes);
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let answers: Vec<(u16, Vec<u8>)> =
            join_all(posts).await.into_iter().map(Result::unwrap).collect();
        counts.runs += 1;
        counts.attempted += answers.len() as u64;
        let first = &answers[0];
        counts.ok += u64::from(first.0 == 201);
        counts.unexpected += answers.iter().filter(|answer| *answer != first).count() as u64;
        // another body, another customer
        let different = json!({ "note": "another" });
        let (status, _) =
            buyer.send("POST", "/api/orders", Some(&key), Some(&different)).await.unwrap();
        counts.unexpected += u64::from(status != 422);
        other.empty_cart().await;
        assert_eq!(other.add(&product, 1).await.0, 200);
        let (status, bytes) =
            other.send("POST", "/api/orders", Some(&key), Some(&body)).await.unwrap();
        counts.unexpected += u64::from(status != 201 || bytes == first.1);
    }
    let mut orders = 0;
    for buyer in &buyers {
        orders += all_orders(buyer).await;
    }
    counts.lost = counts.runs.saturating_sub(orders);
    counts.doubled = orders.saturating_sub(counts.runs);
    let mut table = Table::default();
    table.add("50 equal posts with one key", counts);
    show("races", "Idempotency keys, SQLite", &table);
    table.must_hold();
    verified(&house).await;
}

async fn all_orders(buyer: &Buyer) -> u64 {
    let (mut count, mut path) = (0, "/api/orders?limit=100".to_owned());
    loop {
        let (status, page) = buyer.ask("GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        count += page["items"].as_array().unwrap().len() as u64;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/orders?limit=100&cursor={cursor}"),
            None => return count,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupon_with_a_limit_is_used_that_often_on_sqlite() {
    coupon_race(Ground::folder(), "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupon_with_a_limit_is_used_that_often_on_servers() {
    coupon_race(Ground::servers().await, "PostgreSQL and RabbitMQ").await;
}

async fn coupon_race(ground: Ground, store: &str) {
    const LIMIT: u64 = 3;
    let house = House::whole(crowded(ground)).await;
    let client = house.client.clone();
    let buyers = crowd(&client, amount(30, 100)).await;
    let product = stocked(&client, "Discounted", "10.00", 1_000_000).await;
    let mut counts = Counts::default();
    for run in 0..amount(3, 100) {
        let code = format!("RACE{run}");
        let body =
            json!({ "code": code, "kind": "percent", "percent": "10", "total_limit": LIMIT });
        let (status, coupon) = client.order("POST", "/api/admin/coupons", Some(body)).await;
        assert_eq!(status, 201, "{coupon}");
        let barrier = Arc::new(Barrier::new(buyers.len()));
        let tasks = buyers.iter().map(|buyer| {
            let (buyer, barrier) = (buyer.clone(), barrier.clone());
            let (product, code) = (product.clone(), code.clone());
            tokio::spawn(async move {
                buyer.empty_cart().await;
                assert_eq!(buyer.add(&product, 1).await.0, 200);
                barrier.wait().await;
                buyer.order(Some(json!({ "coupon": code }))).await
            })
        });
        counts.runs += 1;
        for answer in join_all(tasks).await {
            let (status, answer) = answer.unwrap();
            counts.attempted += 1;
            match (status, answer["code"].as_str().unwrap_or_default()) {
                (201, _) => {
                    counts.ok += 1;
                    counts.unexpected += u64::from(answer["total"] != "9.00");
                }
                (409 | 422, code) if code.starts_with("coupon") => counts.refused += 1,
                _ => {
                    counts.unexpected += 1;
                    eprintln!("unexpected: {status} {answer}");
                }
            }
        }
        let used = client.read(&format!("/api/admin/coupons/{code}")).await["used"].as_u64();
        counts.unexpected += u64::from(used != Some(LIMIT));
    }
    counts.lost = (counts.runs * LIMIT).saturating_sub(counts.ok);
    counts.doubled = counts.ok.saturating_sub(counts.runs * LIMIT);
    let mut table = Table::default();
    table.add("a coupon for 3 uses", counts);
    show("races", &format!("Coupons, {} buyers at once, {store}", buyers.len()), &table);
    table.must_hold();
    verified(&house).await;
}

/// Prices and carts that change while people order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_charged_is_what_the_buyer_saw() {
    let house = House::whole(crowded(Ground::folder())).await;
    let client = house.client.clone();
    let buyers = crowd(&client, amount(40, 200)).await;
    let mut products = Vec::new();
    for n in 0..5 {
        products.push(stocked(&client, &format!("Moving {n}"), "10.00", 1_000_000).await);
    }
    let (stop, tried) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let changer = {
        let (client, products) = (client.clone(), products.clone());
        let (stop, tried, crowd) = (stop.clone(), tried.clone(), buyers.len() as u64);
        tokio::spawn(async move {
            let mut changes = 0_u64;
            let mut pace = tokio::time::interval(std::time::Duration::from_millis(10));
            while !stop.load(Ordering::Relaxed) {
                let at = usize::try_from(changes).unwrap() % products.len();
                let cents = 500 + i64::try_from(changes % 977).unwrap();
                client.set_price(&products[at], cents).await;
                changes += 1;
                // between two changes everybody orders once, so that some get through
                let next = tried.load(Ordering::Relaxed) + crowd;
                while tried.load(Ordering::Relaxed) < next && !stop.load(Ordering::Relaxed) {
                    pace.tick().await;
                }
            }
            changes
        })
    };
    let rounds = amount(4, 20);
    let tasks = buyers.iter().map(|buyer| {
        let (buyer, products, tried) = (buyer.clone(), products.clone(), tried.clone());
        tokio::spawn(async move {
            let mut counts = Counts::default();
            for round in 0..rounds {
                buyer.empty_cart().await;
                for product in &products {
                    let quantity = i64::from(round % 3 + 1);
                    assert_eq!(buyer.add(product, quantity).await.0, 200);
                }
                let (_, seen) = buyer.ask("GET", "/api/cart", None).await;
                let body = json!({ "cart_version": seen["version"] });
                // a second tab that puts one more into the cart meanwhile
                let other_tab = async {
                    if round % 4 == 0 {
                        buyer.add(&products[0], 1).await;
                    }
                };
                let ((status, answer), ()) = futures::join!(buyer.order(Some(body)), other_tab);
                tried.fetch_add(1, Ordering::Relaxed);
                counts.attempted += 1;
                let code = answer["code"].as_str().unwrap_or_default();
                match status {
                    201 if answer["total"] == seen["total"] => counts.ok += 1,
                    409 if ["price_changed", "cart_changed"].contains(&code) => counts.refused += 1,
                    _ => {
                        counts.unexpected += 1;
                        eprintln!("unexpected: {status} {answer}\nseen {seen}");
                    }
                }
            }
            counts
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut counts = Counts { runs: rounds.into(), ..Counts::default() };
    for task in tasks {
        let one = task.await.unwrap();
        counts.attempted += one.attempted;
        counts.ok += one.ok;
        counts.refused += one.refused;
        counts.unexpected += one.unexpected;
    }
    stop.store(true, Ordering::Relaxed);
    let changes = changer.await.unwrap();
    assert!(changes > 0);
    let mut table = Table::default();
    table.add(&format!("orders while {changes} prices change"), counts);
    show("races", "Prices and carts that change, SQLite", &table);
    table.must_hold();
    verified(&house).await;
}
