//! Exchanges, queues and bindings. Everything is durable and declared the same way each time: a
//! queue's arguments cannot be changed in place.
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::address::Names;
use crate::QueueSpec;

/// Redeliveries after which the broker itself parks a message: a consumer that dies of it never
/// gets to say so.
const DELIVERY_LIMIT: i64 = 20;
/// RabbitMQ 4 would drop a dead letter that came back twenty times; older ones know no word for
/// "never".
const NO_LIMIT: i64 = 1_000_000_000;
const MOST_BYTES: i64 = 1 << 30;

/// One queue per delay: a message's own expiry would only be looked at when it is first in line.
const DELAYS: [(Duration, &str); 3] = [
    (Duration::from_secs(1), "1s"),
    (Duration::from_secs(10), "10s"),
    (Duration::from_secs(60), "60s"),
];

/// The retry queue to wait in: the shortest that is not shorter than `after`, else the longest.
/// None: no need to wait.
pub(super) fn retry_queue(names: &Names, queue: &str, after: Duration) -> Option<String> {
    if after.is_zero() {
        return None;
    }
    let long_enough = DELAYS.iter().find(|(delay, _)| *delay >= after);
    let (_, name) = long_enough.unwrap_or(&DELAYS[DELAYS.len() - 1]);
    Some(names.retry(queue, name))
}

/// All queues in which messages of `queue` wait.
pub(super) fn waiting(names: &Names, queue: &str) -> Vec<String> {
    let retries = DELAYS.iter().map(|(_, name)| names.retry(queue, name));
    std::iter::once(names.of(queue)).chain(retries).collect()
}

pub(super) async fn declare(
    channel: &Channel,
    names: &Names,
    queues: &[QueueSpec],
) -> Result<(), lapin::Error> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let exchanges =
        [(names.events(), ExchangeKind::Topic), (names.dead_letters(), ExchangeKind::Direct)];
    for (exchange, kind) in exchanges {
        channel.exchange_declare(exchange.into(), kind, durable, FieldTable::default()).await?;
    }
    for queue in queues {
        declare_queue(channel, names, queue).await?;
    }
    Ok(())
}

async fn declare_queue(
    channel: &Channel,
    names: &Names,
    spec: &QueueSpec,
) -> Result<(), lapin::Error> {
    let (queue, dead) = (names.of(spec.name), names.dead(spec.name));
    let dlx = names.dead_letters();
    // The dead letters' queue first: a message must not die before its grave is dug.
    quorum(channel, &dead, [("x-delivery-limit", AMQPValue::from(NO_LIMIT))]).await?;
    bind(channel, &dead, &dlx, &dead).await?;
    for (delay, name) in DELAYS {
        let ttl_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let back = [
            ("x-message-ttl", AMQPValue::from(ttl_ms)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&queue)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        quorum(channel, &names.retry(spec.name, name), back).await?;
    }
    let work = [
        ("x-dead-letter-exchange", text(&dlx)),
        ("x-dead-letter-routing-key", text(&dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
        ("x-max-length-bytes", AMQPValue::from(MOST_BYTES)),
        ("x-delivery-limit", AMQPValue::from(DELIVERY_LIMIT)),
    ];
    quorum(channel, &queue, work).await?;
    for binding in spec.bindings {
        bind(channel, &queue, &names.events(), binding).await?;
    }
    Ok(())
}

async fn quorum<const N: usize>(
    channel: &Channel,
    name: &str,
    arguments: [(&str, AMQPValue); N],
) -> Result<(), lapin::Error> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (key, value) in arguments {
        table.insert(key.into(), value);
    }
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), durable, table).await.map(drop)
}

pub(super) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), lapin::Error> {
    let (options, table) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.into(), exchange.into(), key.into(), options, table).await
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
