//! Waves against a bus that stops answering.
use futures::stream::BoxStream;
use souk_values::Clock;
use uuid::Uuid;

use super::*;
use crate::bus::{DeadMessage, Delivery};
use crate::outbox::row::Headers;
use crate::{QueueSpec, Signal};

/// Confirms the first wave and never answers the second.
#[derive(Default)]
struct Dying(std::sync::atomic::AtomicUsize);

#[async_trait::async_trait]
impl Bus for Dying {
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        if self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 {
            std::future::pending().await
        }
        events.iter().map(|_| Ok(())).collect()
    }
    async fn declare(&self, _: &[QueueSpec]) -> Result<(), BusError> {
        Err(gone())
    }
    async fn send_to(&self, _: &str, _: &Envelope) -> Result<(), BusError> {
        Err(gone())
    }
    async fn consume(&self, _: &str, _: u16) -> Result<BoxStream<'static, Delivery>, BusError> {
        Err(gone())
    }
    async fn consume_dead(&self, _: &str) -> Result<BoxStream<'static, DeadMessage>, BusError> {
        Err(gone())
    }
    async fn subscribe(&self, _: &str, _: &[&str]) -> Result<BoxStream<'static, Signal>, BusError> {
        Err(gone())
    }
    async fn depth(&self, _: &str) -> Result<(u64, u64), BusError> {
        Err(gone())
    }
    async fn ping(&self) -> Result<(), BusError> {
        Err(gone())
    }
}

fn gone() -> BusError {
    BusError::Refused("only publishes".to_owned())
}

fn row(seq: i64, key: &str) -> row::Model {
    let now = Clock::system().now();
    row::Model {
        seq,
        event_id: Uuid::now_v7(),
        event_type: crate::registry::PRODUCT_CHANGED.to_owned(),
        subject: key.to_owned(),
        partition_key: key.to_owned(),
        epoch: 1,
        version: seq,
        headers: Headers::default(),
        payload: Vec::new(),
        created_at: now,
        attempts: 0,
        next_at: now,
        last_error: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_never_answers_is_away_after_thirty_seconds() {
    let began = tokio::time::Instant::now();
    let rows = vec![row(1, "a"), row(2, "a"), row(3, "b"), row(4, "b")];
    let answers = publish(&Dying::default(), rows).await;
    assert_eq!(answers.confirmed, [1, 3]);
    assert!(answers.away && answers.refused.is_empty());
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[test]
fn the_wait_after_a_refusal_doubles_up_to_a_minute() {
    let waits: Vec<_> = (0..12).map(|attempts| backoff(attempts).as_millis()).collect();
    assert_eq!(waits[..4], [100, 200, 400, 800]);
    assert_eq!((waits[9], waits[10], backoff(i32::MAX).as_secs()), (51_200, 60_000, 60));
}
