//! Temporary subscriptions: in memory, gone with their listener.
use tokio::sync::broadcast;

use super::topic;
use crate::Envelope;
use crate::bus::{Signal, signals};

#[derive(Default)]
pub(super) struct Subscriptions(Vec<Subscription>);

struct Subscription {
    bindings: Vec<String>,
    signals: broadcast::Sender<Signal>,
}

impl Subscription {
    fn wants(&self, key: &str) -> bool {
        self.signals.receiver_count() > 0 && self.bindings.iter().any(|b| topic::matches(b, key))
    }
}

impl Subscriptions {
    pub(super) fn add(&mut self, bindings: Vec<String>) -> broadcast::Receiver<Signal> {
        self.0.retain(|subscription| subscription.signals.receiver_count() > 0);
        let (signals, heard) = broadcast::channel(signals::KEPT);
        self.0.push(Subscription { bindings, signals });
        heard
    }

    pub(super) fn want(&self, key: &str) -> bool {
        self.0.iter().any(|subscription| subscription.wants(key))
    }

    pub(super) fn tell(&self, event: &Envelope) {
        for subscription in self.0.iter().filter(|s| s.wants(event.routing_key())) {
            // Fails only when the listener left this moment.
            let _ = subscription.signals.send(Signal::Event(event.clone()));
        }
    }
}
