//! What any bus must do: the same cases for SQLite and RabbitMQ.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use souk_events::bus::{self, Answer, Delivery};
use souk_events::{Bus, Envelope, QueueSpec};
use souk_values::Clock;
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

pub(crate) const MAIL: &str = "mail.product.v1";
pub(crate) const COUNT: &str = "count.product.v1";
pub(crate) const ACCOUNT: &str = "mail.account.v1";
pub(crate) const QUEUES: &[QueueSpec] = &[
    QueueSpec { name: MAIL, bindings: &["catalog.product.*.v1"] },
    QueueSpec { name: COUNT, bindings: &["catalog.#"] },
    QueueSpec { name: ACCOUNT, bindings: &["accounts.user.*.v1"] },
];
pub(crate) const CHANGED: &str = "souk.catalog.product.changed.v1";
pub(crate) const STOCK: &str = "souk.catalog.stock.moved.v1";
pub(crate) const USER: &str = "souk.accounts.user.created.v1";

/// No test waits longer for one thing.
const BOUND: Duration = Duration::from_secs(180);

/// Where a bus of one test lives; it can be opened again and again.
pub(crate) struct Place {
    url: String,
    dir: TempDir,
}

impl Place {
    pub(crate) fn local() -> Self {
        Self { url: String::new(), dir: TempDir::new().unwrap() }
    }

    #[allow(clippy::disallowed_methods, reason = "where the test servers are")]
    pub(crate) fn rabbit() -> Self {
        let url = std::env::var("SOUK_TEST_RABBITMQ_URL")
            .expect("SOUK_TEST_RABBITMQ_URL is not set: start with `cargo xtask test`");
        let url = format!("{url}?souk_prefix={}", Uuid::now_v7().simple());
        Self { url, dir: TempDir::new().unwrap() }
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn open(&self) -> Arc<dyn Bus> {
        let bus = bus::open(&self.url, self.dir.path()).await.unwrap();
        bus.declare(QUEUES).await.unwrap();
        bus
    }
}

pub(crate) fn event(event_type: &str, number: u64) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        source: "/catalog".to_owned(),
        subject: format!("product/prd_{number}"),
        partition_key: format!("prd_{number}"),
        epoch: 0,
        version: number,
        time: Clock::system().now(),
        correlation_id: Some("req_1".to_owned()),
        causation_id: None,
        traceparent: None,
        payload: Bytes::from(format!("payload {number}")),
    }
}

pub(crate) fn events(event_type: &str, numbers: std::ops::Range<u64>) -> Vec<Envelope> {
    numbers.map(|number| event(event_type, number)).collect()
}

pub(crate) async fn publish(bus: &Arc<dyn Bus>, events: &[Envelope]) {
    let results = bus.publish(events).await;
    assert_eq!(results.len(), events.len());
    for result in results {
        result.unwrap();
    }
}

/// The next thing of a stream, within the bound.
pub(crate) async fn next<T>(stream: &mut BoxStream<'static, T>) -> T {
    timeout(BOUND, stream.next()).await.expect("nothing came").expect("the stream ended")
}

/// The next delivery's version, attempt and answer.
pub(crate) async fn take(stream: &mut BoxStream<'static, Delivery>) -> (u64, u32, Box<dyn Answer>) {
    let delivery = next(stream).await;
    (delivery.envelope.unwrap().version, delivery.attempt, delivery.answer)
}

/// As long as this nothing comes when a stream is quiet.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// Nothing comes for a while. Only ever makes a test pass wrongly, never fail wrongly.
pub(crate) async fn is_quiet(stream: &mut BoxStream<'static, Delivery>) -> bool {
    timeout(QUIET, stream.next()).await.is_err()
}

pub(crate) async fn eventually<F>(what: &str, mut holds: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(BOUND, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub(crate) async fn depth_becomes(bus: &Arc<dyn Bus>, queue: &str, depth: (u64, u64)) {
    let what = format!("{queue} at {depth:?}");
    eventually(&what, || async { bus.depth(queue).await.unwrap() == depth }).await;
}

/// One test per case; `clear` takes away what the place left behind.
macro_rules! conformance {
    ($place:expr, $clear:path) => {
        $crate::bus::conformance! { $place, $clear;
            routing: a_message_goes_to_every_queue_that_wants_it_and_to_no_other,
            routing: an_envelope_arrives_as_it_was_sent,
            routing: a_message_that_nobody_wants_is_unroutable_and_its_neighbors_are_not,
            routing: a_message_can_be_sent_to_one_queue_alone,
            routing: the_prefetch_is_respected,
            answers: an_acknowledged_message_never_comes_again,
            answers: a_retried_message_comes_later_and_counts,
            answers: a_released_message_comes_again_uncounted,
            answers: a_dropped_message_comes_again,
            answers: a_parked_message_waits_among_the_dead_letters_with_its_reason,
            answers: one_poisoned_message_holds_up_none_of_999,
            deaths: only_the_queue_whose_handler_kills_parks_the_message,
            endurance: what_was_not_answered_comes_again_after_the_bus_was_closed,
            endurance: dead_letters_and_retries_survive_the_closing_of_the_bus,
            endurance: two_publishers_in_parallel_keep_their_order,
            endurance: of_20000_messages_none_is_lost_and_none_doubled,
            endurance: an_absent_consumer_holds_up_nobody,
            subscriptions: a_subscription_hears_what_it_wants_and_ends_with_its_bus,
            subscriptions: a_subscriber_that_lags_is_told_of_the_gap,
        }
    };
    ($place:expr, $clear:path; $($room:ident: $case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let place = $place;
            $crate::bus::$room::$case(&place).await;
            $clear(&place).await;
        }
    )*};
}
pub(crate) use conformance;

pub(crate) mod answers;
pub(crate) mod deaths;
pub(crate) mod endurance;
pub(crate) mod routing;
pub(crate) mod subscriptions;
