//! What the gateway hears: changes that make its memory and its sessions old.
use futures::StreamExt;
use souk_auth::Verifier;
use souk_events::registry::BLOCK_CHANGED;
use souk_events::{Bus, Envelope, Signal};
use souk_proto::events::v1::{ProductChanged, SessionEnded, StockMoved, UserChanged};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::blocks::Blocks;
use crate::hot::Hot;
use crate::http::exchange::Exchange;

const BINDINGS: [&str; 5] = [
    "catalog.product.*.v1",
    "catalog.stock.moved.v1",
    "accounts.user.*.v1",
    "accounts.session.ended.v1",
    "accounts.block.changed.v1",
];

/// Listens on a queue of this process alone, which is gone with it. Whenever something may have
/// been missed, everything is forgotten.
pub(crate) async fn listen(
    bus: Arc<dyn Bus>,
    hot: Arc<Hot>,
    exchange: Arc<Exchange>,
    blocks: Arc<Blocks>,
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
        missed(&hot, &exchange);
        blocks.changed();
        loop {
            let signal = tokio::select! {
                () = stop.cancelled() => return,
                signal = signals.next() => signal,
            };
            match signal {
                Some(Signal::Event(event)) if event.event_type == BLOCK_CHANGED => {
                    blocks.changed();
                }
                Some(Signal::Event(event)) => heard(&event, &hot, &verifier),
                Some(Signal::Gap) => {
                    missed(&hot, &exchange);
                    blocks.changed();
                }
                None => break,
            }
        }
    }
}

/// Products are asked for anew, and what cookies and API keys are worth. Whose session ended
/// meanwhile is known in a moment: see [`Revocations`](crate::revocations::Revocations).
fn missed(hot: &Hot, exchange: &Exchange) {
    hot.flush();
    exchange.flush();
    tracing::info!("events may have been missed, products are read anew");
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
    } else if routing_key.starts_with("accounts.session.") {
        if let Ok(ended) = event.decode::<SessionEnded>() {
            let ids = ended.session_ids.iter().filter_map(|id| id.parse().ok());
            verifier.revoke_sessions(ids);
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use futures::FutureExt;
    use prost::Message;
    use souk_auth::{AccessClaims, SigningKey};
    use souk_events::registry::{SESSION_ENDED, USER_CHANGED};
    use souk_values::{Clock, SessionId, UserId};
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    struct Gateway {
        hot: Hot,
        key: SigningKey,
        verifier: Verifier,
    }

    impl Gateway {
        fn new() -> Self {
            let key = SigningKey::from_seed(&[7; 32]);
            let jwks = serde_json::to_string(&key.jwks()).unwrap();
            let source = Arc::new(move || {
                let jwks = jwks.clone();
                async move { Ok(jwks) }.boxed()
            });
            let clock = Clock::fixed(DateTime::from_timestamp(NOW, 0).unwrap());
            Self { hot: Hot::new(10), key, verifier: Verifier::new(source, clock) }
        }

        fn token(&self, user: UserId, session: SessionId, issued_at: i64) -> String {
            self.key.sign(&AccessClaims {
                iss: AccessClaims::SOUK.to_owned(),
                aud: AccessClaims::SOUK.to_owned(),
                sub: user.to_string(),
                sid: session.to_string(),
                role: "customer".to_owned(),
                perms: Vec::new(),
                iat: issued_at,
                nbf: issued_at,
                exp: issued_at + 600,
                jti: Uuid::now_v7().to_string(),
                fresh: issued_at + 600,
                enrol: false,
                key: false,
            })
        }

        async fn believes(&self, token: &str) -> bool {
            self.verifier.verify(token).await.is_ok()
        }

        fn hears(&self, event_type: &str, message: &impl Message) {
            let event = Envelope {
                id: Uuid::now_v7(),
                event_type: event_type.to_owned(),
                source: "/accounts".to_owned(),
                subject: "x".to_owned(),
                partition_key: "x".to_owned(),
                epoch: 1,
                version: 1,
                time: DateTime::from_timestamp(NOW, 500_000_000).unwrap(),
                correlation_id: None,
                causation_id: None,
                traceparent: None,
                payload: message.encode_to_vec().into(),
            };
            heard(&event, &self.hot, &self.verifier);
        }
    }

    #[tokio::test]
    async fn p33_every_session_that_ended_is_refused_and_no_other() {
        let gateway = Gateway::new();
        let user = UserId::new();
        let sessions = [SessionId::new(), SessionId::new(), SessionId::new()];
        let tokens = sessions.map(|session| gateway.token(user, session, NOW));
        for token in &tokens {
            assert!(gateway.believes(token).await);
        }
        let ended = sessions.iter().take(2).map(ToString::to_string);
        let ended = SessionEnded {
            user_id: user.to_string(),
            reason: "evicted".to_owned(),
            session_ids: ended.chain(["of a newer kind".to_owned()]).collect(),
        };
        gateway.hears(SESSION_ENDED, &ended);
        let [one, two, three] = &tokens;
        assert!(!gateway.believes(one).await && !gateway.believes(two).await);
        assert!(gateway.believes(three).await);
    }

    #[tokio::test]
    async fn p34_tokens_of_the_second_of_a_change_are_told_apart_by_their_sessions() {
        let gateway = Gateway::new();
        let user = UserId::new();
        let (before, kept, after) = (SessionId::new(), SessionId::new(), SessionId::new());
        // all of the second in which the password changed, but one long before
        let old = gateway.token(user, kept, NOW - 60);
        let ended = gateway.token(user, before, NOW);
        let next = gateway.token(user, after, NOW);
        let changed = UserChanged {
            user_id: user.to_string(),
            active: true,
            fields: vec!["password".to_owned()],
            ..UserChanged::default()
        };
        gateway.hears(USER_CHANGED, &changed);
        let session_ids = vec![before.to_string()];
        let reason = "password".to_owned();
        let told = SessionEnded { user_id: user.to_string(), reason, session_ids };
        gateway.hears(SESSION_ENDED, &told);
        assert!(!gateway.believes(&ended).await);
        assert!(gateway.believes(&next).await);
        // the device that changed the password keeps its session and asks for a new token
        assert!(!gateway.believes(&old).await);
        assert!(gateway.believes(&gateway.token(user, kept, NOW)).await);
    }
}
