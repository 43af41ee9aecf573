//! What the gateway hears: changes that make its memory and its sessions old.
use futures::StreamExt;
use souk_auth::Verifier;
use souk_events::{Bus, Envelope, Signal};
use souk_proto::events::v1::{ProductChanged, StockMoved, UserChanged};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::hot::Hot;

const BINDINGS: [&str; 3] =
    ["catalog.product.*.v1", "catalog.stock.moved.v1", "accounts.user.*.v1"];

/// Listens on a queue of this process alone, which is gone with it. Whenever something may have
/// been missed, everything is forgotten.
pub(crate) async fn listen(
    bus: Arc<dyn Bus>,
    hot: Arc<Hot>,
    verifier: Arc<Verifier>,
    stop: CancellationToken,
) {
    let queue = format!("souk.gateway.{}", uuid::Uuid::new_v4());
    while !stop.is_cancelled() {
        let mut signals = match bus.subscribe(&queue, &BINDINGS).await {
            Ok(signals) => signals,
            Err(error) => {
                tracing::debug!(%error, "bus away, nothing heard");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => continue,
                }
            }
        };
        // between the last subscription and this one anything may have happened
        hot.flush();
        loop {
            let signal = tokio::select! {
                () = stop.cancelled() => return,
                signal = signals.next() => signal,
            };
            match signal {
                Some(Signal::Event(event)) => heard(&event, &hot, &verifier),
                Some(Signal::Gap) => hot.flush(),
                None => break,
            }
        }
    }
}

fn heard(event: &Envelope, hot: &Hot, verifier: &Verifier) {
    let routing_key = event.routing_key();
    if routing_key.starts_with("catalog.product.") {
        match event.decode::<ProductChanged>() {
            Ok(change) => product_changed(&change, hot),
            // of a newer version of catalog, perhaps: better to forget too much
            Err(_) => hot.flush(),
        }
    } else if routing_key.starts_with("catalog.stock.") {
        match event.decode::<StockMoved>().map(|moved| moved.product_id.parse()) {
            Ok(Ok(id)) => hot.drop_product(id, &[]),
            _ => hot.flush(),
        }
    } else if let Ok(change) = event.decode::<UserChanged>() {
        let ended = !change.active || change.fields.iter().any(|f| f == "role" || f == "password");
        if ended && let Ok(user) = change.user_id.parse() {
            verifier.revoke_user(user, event.time.timestamp());
        }
    }
}

fn product_changed(change: &ProductChanged, hot: &Hot) {
    let Ok(id) = change.product_id.parse() else { return hot.flush() };
    let state = change.state.clone().unwrap_or_default();
    hot.drop_product(id, &[&state.sku, &state.slug, &state.old_slug]);
}
