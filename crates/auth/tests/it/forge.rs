//! Makes tokens by hand, right and wrong, and verifiers that count their fetches.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use souk_auth::{AccessClaims, Jwks, SigningKey, Verifier};
use souk_values::{Clock, SessionId, UserId};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SEED: [u8; 32] = [7; 32];

/// A verifier with a source of keys that the test can change.
pub(crate) struct Door {
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
    pub(crate) key: SigningKey,
    served: Arc<Mutex<Option<String>>>,
    fetches: Arc<AtomicUsize>,
}

impl Door {
    pub(crate) fn new() -> Self {
        let clock = Clock::fixed(DateTime::from_timestamp(NOW, 0).unwrap());
        let key = SigningKey::from_seed(&SEED);
        let served = Arc::new(Mutex::new(None));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (text, count) = (served.clone(), fetches.clone());
        let source = Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let text: Option<String> = text.lock().unwrap().clone();
            let answer: futures::future::BoxFuture<'static, _> = Box::pin(async move {
                tokio::task::yield_now().await;
                text.ok_or_else(|| anyhow::anyhow!("accounts is away"))
            });
            answer
        });
        let door =
            Self { verifier: Verifier::new(source, clock.clone()), clock, key, served, fetches };
        door.serve(&[&door.key]);
        door
    }

    /// What accounts serves from now on.
    pub(crate) fn serve(&self, keys: &[&SigningKey]) {
        let keys = keys.iter().flat_map(|k| k.jwks().keys).collect();
        self.serve_text(&serde_json::to_string(&Jwks { keys }).unwrap());
    }
    pub(crate) fn serve_text(&self, text: &str) {
        *self.served.lock().unwrap() = Some(text.to_owned());
    }
    pub(crate) fn cut(&self) {
        *self.served.lock().unwrap() = None;
    }
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
    pub(crate) fn later(&self, seconds: i64) {
        self.clock.advance(chrono::Duration::seconds(seconds));
    }
}

pub(crate) fn claims() -> AccessClaims {
    AccessClaims {
        iss: "souk".into(),
        aud: "souk".into(),
        sub: UserId::new().to_string(),
        sid: SessionId::new().to_string(),
        role: "catalog_admin".into(),
        perms: vec!["products.write".into(), "moon.visit".into()],
        iat: NOW,
        nbf: NOW,
        exp: NOW + 600,
        jti: "1".into(),
        fresh: NOW + 600,
        enrol: false,
        key: false,
    }
}

pub(crate) fn header(key: &SigningKey) -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": key.key_id()})
}

/// A token of any header and payload, rightly signed with the known key.
pub(crate) fn signed(header: &Value, payload: &Value) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let message = message(header, payload);
    let signature = pair.sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn message(header: &Value, payload: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(payload))
}

/// `value` with one member replaced, or removed by `Value::Null`.
pub(crate) fn with(value: &Value, member: &str, new: Value) -> Value {
    let mut value = value.clone();
    let members = value.as_object_mut().unwrap();
    if new.is_null() {
        members.remove(member);
    } else {
        members.insert(member.to_owned(), new);
    }
    value
}
