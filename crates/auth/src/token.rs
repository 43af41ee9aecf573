//! Access tokens: EdDSA JWTs (RFC 9068, RFC 8725), issued by accounts, verified by whoever acts.
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::User;

/// What an access token says. `iss` and `aud` are "souk".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub sid: String,
    pub role: String,
    pub perms: Vec<String>,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub jti: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Broken, forged, expired, for somebody else: the caller is told no more.
    #[error("the access token is not valid")]
    Invalid,
    /// The keys could not be fetched: nothing was decided.
    #[error("tokens cannot be checked at the moment")]
    Unavailable,
}

/// Where public keys come from (accounts), as JWKS JSON.
pub type KeySource = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<String>> + Send + Sync>;

/// Checks access tokens; keeps keys and, briefly, checked tokens.
pub struct Verifier {}

impl Verifier {
    pub fn new(_source: KeySource, _clock: souk_values::Clock) -> Self {
        todo!()
    }
    /// Signature, `alg`, `typ`, `kid`, `iss`, `aud`, `exp`, `nbf` (leeway 5 s).
    pub async fn verify(&self, _token: &str) -> Result<Arc<User>, TokenError> {
        todo!()
    }
}
