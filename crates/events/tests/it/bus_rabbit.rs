//! The bus on a real RabbitMQ.
use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use souk_events::{BusError, bus};

use crate::bus::{
    ACCOUNT, Place, QUEUES, USER, conformance, depth_becomes, event, next, publish, take,
};

conformance!(Place::rabbit(), cleared);

/// A channel of our own, and the prefix of the place.
async fn behind_the_back(place: &Place) -> (Connection, Channel, String) {
    let (url, prefix) = place.url().split_once("?souk_prefix=").unwrap();
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel, prefix.to_owned())
}

async fn cleared(place: &Place) {
    let (_connection, channel, prefix) = behind_the_back(place).await;
    for queue in QUEUES {
        for end in ["", ".dlq", ".retry.1s", ".retry.10s", ".retry.60s"] {
            let name = format!("{prefix}.{}{end}", queue.name);
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
        }
    }
    for exchange in ["souk.events", "souk.dlx"] {
        let name = format!("{prefix}.{exchange}");
        channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_message_is_handed_out_as_undecodable_and_can_be_parked() {
    let place = Place::rabbit();
    let bus = place.open().await;
    let (_connection, channel, prefix) = behind_the_back(&place).await;
    let queue = format!("{prefix}.{ACCOUNT}");
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    let publishing = channel.basic_publish("".into(), queue.into(), options, b"noise", properties);
    publishing.await.unwrap().await.unwrap();

    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let undecodable = delivery.envelope.unwrap_err();
    assert_eq!(undecodable.reason, "specversion is missing");
    delivery.answer.park(&undecodable.reason).await.unwrap();

    let letter = next(&mut bus.consume_dead(ACCOUNT).await.unwrap()).await;
    assert_eq!((letter.reason.as_str(), letter.attempts), ("specversion is missing", 1));
    assert_eq!(&letter.envelope.payload[..], b"noise");
    letter.answer.ack().await.unwrap();
    cleared(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_came_before_its_time_waits_on_uncounted() {
    let place = Place::rabbit();
    let bus = place.open().await;
    let (_connection, channel, prefix) = behind_the_back(&place).await;
    let early = event(USER, 1);
    let mut headers = FieldTable::default();
    for (name, value) in early.headers() {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    let due_us = souk_values::Clock::system().now_us() + 1_500_000;
    headers.insert("souk-not-before-us".into(), AMQPValue::LongLongInt(due_us));
    let properties = BasicProperties::default().with_headers(headers);
    let queue = format!("{prefix}.{ACCOUNT}");
    let options = BasicPublishOptions::default();
    let publishing =
        channel.basic_publish("".into(), queue.into(), options, &early.payload, properties);
    publishing.await.unwrap().await.unwrap();
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    let (version, attempt, answer) = take(&mut deliveries).await;
    assert_eq!((version, attempt), (1, 1));
    assert!(souk_values::Clock::system().now_us() > due_us - 150_000);
    answer.ack().await.unwrap();
    cleared(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_kills_its_consumer_is_parked_by_the_broker_at_last() {
    let place = Place::rabbit();
    let bus = place.open().await;
    publish(&bus, &[event(USER, 1)]).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    for attempt in 1..=21 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.attempt, attempt);
        drop(delivery);
    }
    let letter = next(&mut bus.consume_dead(ACCOUNT).await.unwrap()).await;
    assert_eq!((letter.reason.as_str(), letter.envelope.version), ("delivery_limit", 1));
    letter.answer.ack().await.unwrap();
    cleared(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_and_exchange_are_declared_again() {
    let place = Place::rabbit();
    let bus = place.open().await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    publish(&bus, &[event(USER, 1)]).await;
    take(&mut deliveries).await.2.ack().await.unwrap();
    cleared(&place).await;
    crate::bus::eventually("publishing works again", || async {
        bus.publish(&[event(USER, 2)]).await[0].is_ok()
    })
    .await;
    let next = tokio::time::timeout(Duration::from_secs(180), take(&mut deliveries)).await.unwrap();
    assert_eq!(next.0, 2);
    next.2.ack().await.unwrap();
    drop(deliveries);
    depth_becomes(&bus, ACCOUNT, (0, 0)).await;
    cleared(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_the_bus_opens_and_says_in_time_that_it_is_away() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://127.0.0.1:{}/%2f", free.local_addr().unwrap().port());
    drop(free);
    let dir = tempfile::TempDir::new().unwrap();
    let bus = bus::open(&url, dir.path()).await.unwrap();
    bus.declare(QUEUES).await.unwrap();
    let begun = Instant::now();
    let results = bus.publish(&[event(USER, 1), event(USER, 2)]).await;
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|result| matches!(result, Err(BusError::Away(_)))));
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert!(matches!(bus.ping().await, Err(BusError::Away(_))));
}
