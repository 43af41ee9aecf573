//! Access tokens: nothing is good but what the key signed.
use std::sync::{Arc, LazyLock};

use chrono::DateTime;
use souk_auth::{AccessClaims, SigningKey, TokenError, Verifier};
use souk_values::Clock;
use tokio::runtime::{Builder, Runtime};

const NOW: i64 = 1_800_000_000;

/// A shop's verifier that stands still in time, and the one token that is good.
struct Door {
    /// Nothing in here waits; keys come from memory.
    runtime: Runtime,
    verifier: Verifier,
    good: String,
}

static DOOR: LazyLock<Option<Door>> = LazyLock::new(|| {
    let key = SigningKey::from_seed(&[7; 32]);
    let keys = serde_json::to_string(&key.jwks()).ok()?;
    let source = Arc::new(move || -> futures::future::BoxFuture<'static, _> {
        let keys = keys.clone();
        Box::pin(async move { Ok(keys) })
    });
    let claims = AccessClaims {
        iss: AccessClaims::SOUK.to_owned(),
        aud: AccessClaims::SOUK.to_owned(),
        sub: "usr_01JD0000000000000000000000".to_owned(),
        sid: "ses_01JD0000000000000000000000".to_owned(),
        role: "customer".to_owned(),
        perms: Vec::new(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 600,
        jti: "1".to_owned(),
        fresh: NOW,
        enrol: false,
        key: false,
    };
    let clock = Clock::fixed(DateTime::from_timestamp(NOW, 0)?);
    let runtime = Builder::new_current_thread().enable_time().build().ok()?;
    Some(Door { runtime, verifier: Verifier::new(source, clock), good: key.sign(&claims) })
});

/// The good one, to be changed a little.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    DOOR.iter().map(|door| door.good.clone().into_bytes()).collect()
}

/// As it stands after `Bearer `.
pub fn access_token(data: &[u8]) {
    let Some(door) = &*DOOR else { return };
    let token = String::from_utf8_lossy(data);
    match door.runtime.block_on(door.verifier.verify(&token)) {
        Ok(user) => {
            assert_eq!(token, door.good, "another token than the signed one is good");
            assert!(user.permissions.is_empty() && !user.enrol_only);
        }
        Err(error) => {
            assert_eq!(error, TokenError::Invalid, "{token:?}");
            assert_ne!(token, door.good, "the signed token is refused");
        }
    }
}
