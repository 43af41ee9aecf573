//! Messages that can never be handled block nobody, are shown with the reason, and can be replayed
//! and dropped.
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use prost::Message;
use serde_json::Value;
use souk_events::{Bus, Envelope, bus, registry};
use souk_proto::events::v1::{ProductView, ProductsViewed};
use souk_values::Clock;
use uuid::Uuid;

use crate::amounts::amount;
use crate::buyers::verified;
use crate::client::Client;
use crate::evidence::show;
use crate::facts::letters_about;
use crate::house::{Ground, House, WHOLE};
use crate::process::until;

const VIEWS: &str = "analytics.view.v1";
const CHANGES: &str = "analytics.product.v1";
const NOTICES: &str = "notifier.product.v1";
/// Why the test's own consumer parked a good message.
const BUG: &str = "a bug that was fixed since";
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poisoned_messages_block_nobody_and_can_be_replayed_and_dropped_on_sqlite() {
    poisoned_messages_block_nobody(Ground::folder(), "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poisoned_messages_block_nobody_and_can_be_replayed_and_dropped_on_rabbitmq() {
    poisoned_messages_block_nobody(Ground::servers().await, "RabbitMQ").await;
}

async fn poisoned_messages_block_nobody(ground: Ground, store: &str) {
    let good = u64::from(amount(999, 9_990));
    let mut house = House::whole(ground).await;
    let client = house.client.clone();
    let product = client.create("Lamp").await;
    // files have one owner, so the shop is closed while the test writes to its queues
    close(&mut house).await;
    let poison = plant(&house, &product, good).await;
    house.start_missing();
    house.ready().await;

    let counted = until(PATIENCE, async || views(&client, &product).await >= good).await;
    let parked = until(PATIENCE, async || dead(&client, "parked").await.len() > poison.len());
    let parked = parked.await;
    let letters = dead(&client, "parked").await;
    assert!(counted, "only {} of {good} good ones passed", views(&client, &product).await);
    assert!(parked, "{} are parked: {letters:?}", letters.len());
    assert_eq!(letters.len(), poison.len() + 1, "{letters:?}");
    for (queue, id, reason) in &poison {
        let letter = letters.iter().find(|letter| letter["event_id"] == id.to_string());
        let letter = letter.unwrap_or_else(|| panic!("{queue}: {id} is not parked: {letters:?}"));
        let told = letter["reason"].as_str().unwrap();
        assert_eq!(letter["queue"], *queue);
        assert!(told.to_lowercase().contains(reason), "{queue}: the reason is {told:?}");
    }

    // the good one, after the fix: done once, however often it is asked for
    let fixed = letters.iter().find(|letter| letter["reason"] == BUG).expect("the good one");
    let path = format!("/api/admin/dead-letters/{}/replay", fixed["id"].as_str().unwrap());
    assert_eq!(client.order("POST", &path, None).await.0, 200);
    assert_eq!(client.order("POST", &path, None).await.0, 409, "it was replayed already");
    let done = until(PATIENCE, async || views(&client, &product).await > good).await;
    assert!(done, "the replayed one was not counted");

    // one that is still bad comes back as another dead letter
    let bad = letters.iter().find(|letter| letter["event_id"] == poison[0].1.to_string()).unwrap();
    let path = format!("/api/admin/dead-letters/{}", bad["id"].as_str().unwrap());
    assert_eq!(client.order("POST", &format!("{path}/replay"), None).await.0, 200);
    let again = until(PATIENCE, async || dead(&client, "parked").await.len() == poison.len());
    assert!(again.await, "{:?}", dead(&client, "parked").await);
    assert_eq!(client.order("DELETE", &path, None).await.0, 409, "it was replayed already");

    for letter in dead(&client, "parked").await {
        let path = format!("/api/admin/dead-letters/{}", letter["id"].as_str().unwrap());
        assert_eq!(client.order("DELETE", &path, None).await.0, 200);
    }
    assert!(dead(&client, "parked").await.is_empty());
    assert_eq!(dead(&client, "dropped").await.len(), poison.len());
    assert_eq!(dead(&client, "replayed").await.len(), 2);
    // the shop works on: a change still gets its letter and is counted
    client.set_price(&product, 4_200).await;
    let works =
        until(PATIENCE, async || letters_about(&client, [&product]).await.get("sent") == Some(&2));
    assert!(works.await, "the queue of letters is blocked");
    assert_eq!(views(&client, &product).await, good + 1, "the replayed one was counted once");

    let table = format!(
        "| good | passed | poisoned | parked | replayed, done once | dropped |\n\
         |--:|--:|--:|--:|--:|--:|\n| {} | {} | {n} | {n} | 1 | {n} |\n",
        good + 1,
        good + 1,
        n = poison.len()
    );
    show("poison", &format!("Poisoned messages, {store}"), table);
    println!("{}", verified(&house).await);
}

async fn close(house: &mut House) {
    house.term(WHOLE);
    assert_eq!(house.stopped(WHOLE, Duration::from_secs(20)).await, Some(0));
}

/// Good views with poison among them, and one good view that a consumer with a bug has parked.
/// Answers queue, id and a word of the reason of each poisoned one.
async fn plant(house: &House, product: &str, good: u64) -> Vec<(&'static str, Uuid, &'static str)> {
    let bus = bus::open(&house.bus_url, &house.data()).await.unwrap();
    bus.declare(registry::QUEUES).await.unwrap();
    let now = Clock::system().now();
    bus.send_to(VIEWS, &view(product, now)).await.unwrap();
    park_one(&*bus).await;

    let mut broken = Vec::new();
    let mut poison = Vec::new();
    for (queue, kind) in [
        (VIEWS, registry::PRODUCTS_VIEWED),
        (CHANGES, registry::PRODUCT_CHANGED),
        (NOTICES, registry::PRODUCT_CHANGED),
    ] {
        // an unfinished length: no protobuf at all
        let garbage = Envelope {
            event_type: kind.to_owned(),
            payload: vec![0x0a, 0xff].into(),
            ..view(product, now)
        };
        let later = kind.replace(".v1", ".v2");
        let unknown = Envelope { event_type: later, ..view(product, now) };
        let word = if queue == NOTICES { "payload" } else { "decode" };
        poison.push((queue, garbage.id, word));
        poison.push((queue, unknown.id, "v2"));
        broken.push((queue, garbage));
        broken.push((queue, unknown));
    }
    let halves = [good / 2, good - good / 2];
    publish(&*bus, product, now, halves[0]).await;
    for (queue, event) in &broken {
        bus.send_to(queue, event).await.unwrap();
    }
    publish(&*bus, product, now, halves[1]).await;
    poison
}

async fn publish(bus: &dyn Bus, product: &str, now: DateTime<Utc>, count: u64) {
    let events: Vec<Envelope> = (0..count).map(|_| view(product, now)).collect();
    for some in events.chunks(200) {
        for answer in bus.publish(some).await {
            answer.unwrap();
        }
    }
}

/// What a consumer with a bug would do.
async fn park_one(bus: &dyn Bus) {
    let mut deliveries = bus.consume(VIEWS, 1).await.unwrap();
    let delivery = tokio::time::timeout(PATIENCE, deliveries.next()).await.unwrap().unwrap();
    delivery.answer.park(BUG).await.unwrap();
}

/// A message with one view.
fn view(product: &str, at: DateTime<Utc>) -> Envelope {
    let id = Uuid::now_v7();
    let one = ProductView {
        product_id: product.to_owned(),
        viewer: format!("vis_{}", id.simple()),
        at_us: at.timestamp_micros(),
    };
    Envelope {
        id,
        event_type: registry::PRODUCTS_VIEWED.to_owned(),
        source: "/gateway".to_owned(),
        subject: format!("views/{id}"),
        partition_key: id.to_string(),
        epoch: 1,
        version: 1,
        time: at,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        payload: ProductsViewed { views: vec![one] }.encode_to_vec().into(),
    }
}

async fn views(client: &Client, product: &str) -> u64 {
    let report = client.read(&format!("/api/admin/stats/products/{product}")).await;
    report["all_time_views"].as_u64().unwrap()
}

async fn dead(client: &Client, status: &str) -> Vec<Value> {
    let path = format!("/api/admin/dead-letters?limit=100&status={status}");
    client.read(&path).await["items"].as_array().unwrap().clone()
}
