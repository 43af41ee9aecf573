//! Views on their way to analytics: a bounded buffer in memory, published in batches with confirms.
//! A reader's request never waits for a view.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prost::Message;
use souk_events::{Bus, Envelope, registry};
use souk_proto::events::v1::{ProductView, ProductsViewed};
use souk_values::{Clock, ProductId, UserId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// So often is the buffer emptied: what a killed gateway may lose.
const EVERY: Duration = Duration::from_millis(50);
/// Views of one message, well under 64 KiB.
const AT_ONCE: usize = 600;
/// Messages handed to the bus at once.
const MESSAGES_AT_ONCE: usize = 32;

/// Who looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    User(UserId),
    /// From the visitor cookie.
    Visitor(Uuid),
    /// Hash of address, agent, day and a salt of the day.
    Anonymous(u64),
}

#[derive(Clone, Copy, Debug)]
struct View {
    product: ProductId,
    viewer: Viewer,
    at_us: i64,
}

/// The buffer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Views {
    waiting: Arc<Mutex<Vec<View>>>,
    most: usize,
    dropped: Arc<AtomicU64>,
    clock: Clock,
}

impl Views {
    pub(crate) fn new(most: usize, clock: Clock) -> Self {
        Self { waiting: Arc::default(), most, dropped: Arc::default(), clock }
    }

    /// Notes a view; drops it, counted, when the buffer is full.
    pub(crate) fn note(&self, product: ProductId, viewer: Viewer) {
        let view = View { product, viewer, at_us: self.clock.now_us() };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < self.most {
            waiting.push(view);
        } else {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("views_dropped_total").increment(1);
        }
    }

    fn take(&self) -> Vec<View> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }

    /// Publishes until `stop`, and then what is still there, for as long as the frame lets it.
    pub(crate) async fn run(self, bus: Arc<dyn Bus>, stop: CancellationToken) {
        let recorded = metrics::counter!("views_published_total");
        let mut unsent: Vec<(Envelope, u64)> = Vec::new();
        let mut wait = EVERY;
        loop {
            let stopping = stop.is_cancelled();
            if unsent.is_empty() {
                let views = self.take();
                unsent = views.chunks(AT_ONCE).map(|some| self.envelope(some)).collect();
            }
            let some = &unsent[..unsent.len().min(MESSAGES_AT_ONCE)];
            let batch: Vec<Envelope> = some.iter().map(|(envelope, _)| envelope.clone()).collect();
            let answers = if batch.is_empty() { Vec::new() } else { bus.publish(&batch).await };
            let mut failed = answers.iter().map(Result::is_err);
            let sent: u64 = unsent
                .iter()
                .zip(&answers)
                .filter(|(_, answer)| answer.is_ok())
                .map(|((_, views), _)| views)
                .sum();
            recorded.increment(sent);
            // what is sent goes, the rest keeps its ids: the inbox counts a repeated message once
            let any_failed = answers.iter().any(Result::is_err);
            unsent.retain(|_| failed.next().unwrap_or(true));
            if any_failed {
                wait = (wait * 2).min(Duration::from_secs(1));
                tracing::debug!(waiting = unsent.len(), "bus away, views wait");
            } else {
                wait = EVERY;
                if !unsent.is_empty() {
                    continue;
                }
                if stopping && self.is_empty() {
                    return;
                }
            }
            tokio::select! {
                () = stop.cancelled(), if !stopping => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn envelope(&self, views: &[View]) -> (Envelope, u64) {
        let message = ProductsViewed {
            views: views
                .iter()
                .map(|view| ProductView {
                    product_id: view.product.to_string(),
                    viewer: match view.viewer {
                        Viewer::User(id) => id.to_string(),
                        Viewer::Visitor(id) => format!("vis_{}", id.simple()),
                        Viewer::Anonymous(hash) => format!("anon_{hash:016x}"),
                    },
                    at_us: view.at_us,
                })
                .collect(),
        };
        let id = Uuid::now_v7();
        let envelope = Envelope {
            id,
            event_type: registry::PRODUCTS_VIEWED.to_owned(),
            source: "/gateway".to_owned(),
            subject: format!("views/{id}"),
            partition_key: id.to_string(),
            epoch: 1,
            version: 1,
            time: self.clock.now(),
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            payload: message.encode_to_vec().into(),
        };
        (envelope, views.len() as u64)
    }
}
