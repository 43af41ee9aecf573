//! The public keys that this process knows, fetched from accounts when needed and not more often.
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::Value;
use souk_values::Clock;
use tokio::sync::{Mutex, MutexGuard};

use crate::{Jwks, KeySource, TokenError};

/// An unknown `kid` costs at most one fetch in this time (seconds).
const REFETCH_S: i64 = 10;
/// After a failed fetch the next one may come sooner: accounts may just be starting.
const RETRY_S: i64 = 1;
/// Keys older than this are fetched again, so that a withdrawn one is dropped (seconds).
const FRESH_S: i64 = 300;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct KeySet {
    source: KeySource,
    clock: Clock,
    known: RwLock<Arc<Known>>,
    /// Held while fetching: one at a time.
    fetching: Mutex<Fetching>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, DecodingKey>,
    /// The set as it came, to see whether it changed.
    text: String,
    fetched_at: i64,
}

#[derive(Default)]
struct Fetching {
    not_before: i64,
    failed: bool,
}

impl KeySet {
    pub(crate) fn new(source: KeySource, clock: Clock) -> Self {
        Self { source, clock, known: RwLock::default(), fetching: Mutex::default() }
    }

    /// The key of this id. `on_change` runs when a fetch brought another set than before.
    pub(crate) async fn get(
        &self,
        kid: &str,
        on_change: impl Fn(),
    ) -> Result<DecodingKey, TokenError> {
        let known = self.known();
        if let Some(key) = known.keys.get(kid) {
            if self.now() - known.fetched_at < FRESH_S {
                return Ok(key.clone());
            }
            // whoever comes first looks for news; a failure leaves us with what we have
            if let Ok(turn) = self.fetching.try_lock() {
                let _ = self.fetch(turn, &on_change).await;
            }
        } else {
            let turn = self.fetching.lock().await;
            // somebody may have fetched it while we waited
            if !self.known().keys.contains_key(kid) {
                self.fetch(turn, &on_change).await?;
            }
        }
        self.known().keys.get(kid).cloned().ok_or(TokenError::Invalid)
    }

    /// Fetches unless it is too soon; too soon after a failure is a failure.
    async fn fetch(
        &self,
        mut turn: MutexGuard<'_, Fetching>,
        on_change: &impl Fn(),
    ) -> Result<(), TokenError> {
        if self.now() < turn.not_before {
            return if turn.failed { Err(TokenError::Unavailable) } else { Ok(()) };
        }
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, (self.source)()).await;
        let keys = match fetched {
            Ok(Ok(text)) => parse(&text).map(|keys| (keys, text)),
            Ok(Err(_)) | Err(_) => None,
        };
        let now = self.now();
        turn.failed = keys.is_none();
        turn.not_before = now + if turn.failed { RETRY_S } else { REFETCH_S };
        let (keys, text) = keys.ok_or(TokenError::Unavailable)?;
        let before = self.known();
        let changed = before.text != text;
        let known = Arc::new(Known { keys, text, fetched_at: now });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        if changed {
            on_change();
        }
        Ok(())
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }
}

/// The usable keys of a set; keys of other kinds and uses are passed over.
fn parse(text: &str) -> Option<HashMap<String, DecodingKey>> {
    let set: Jwks = serde_json::from_str(text).ok()?;
    Some(set.keys.iter().filter_map(ed25519).collect())
}

fn ed25519(key: &Value) -> Option<(String, DecodingKey)> {
    let is = |member: &str, value: &str| key.get(member).and_then(Value::as_str) == Some(value);
    let absent_or = |member: &str, value| key.get(member).is_none() || is(member, value);
    let fits = is("kty", "OKP") && is("crv", "Ed25519");
    if !fits || !absent_or("use", "sig") || !absent_or("alg", "EdDSA") || key.get("d").is_some() {
        return None;
    }
    let kid = key.get("kid")?.as_str()?;
    let public: [u8; 32] = URL_SAFE_NO_PAD.decode(key.get("x")?.as_str()?).ok()?.try_into().ok()?;
    Some((kid.to_owned(), DecodingKey::from_ed_der(&public)))
}
