//! Checks access tokens; keeps keys, revocations and, briefly, checked tokens.
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use moka::sync::Cache;
use ring::digest::{SHA256, digest};
use souk_values::{Clock, SessionId, UserId};

use crate::key_set::KeySet;
use crate::revocations::Revocations;
use crate::{TokenError, User, token};

/// Where public keys come from (accounts), as JWKS JSON.
pub type KeySource = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<String>> + Send + Sync>;

/// Checked tokens kept at most, and for how long (seconds).
const CHECKED_MAX: u64 = 10_000;
const CHECKED_S: i64 = 60;

/// Checks access tokens. One per process: share it in an `Arc`.
pub struct Verifier {
    keys: KeySet,
    clock: Clock,
    /// By SHA-256 of the token, so that memory holds no usable token.
    checked: Cache<[u8; 32], Good>,
    revocations: Revocations,
}

/// A token that was found good.
#[derive(Clone)]
struct Good {
    user: Arc<User>,
    issued_at: i64,
    /// The second at which it must be checked again.
    until: i64,
}

impl Verifier {
    pub fn new(source: KeySource, clock: Clock) -> Self {
        crate::provider::install();
        let checked = Cache::builder()
            .max_capacity(CHECKED_MAX)
            .time_to_live(Duration::from_secs(CHECKED_S.unsigned_abs()))
            .build();
        let keys = KeySet::new(source, clock.clone());
        Self { keys, clock, checked, revocations: Revocations::default() }
    }

    /// Signature, `alg`, `typ`, `kid`, `iss`, `aud`, `exp`, `nbf` (leeway 5 s), lifetime,
    /// revocation.
    pub async fn verify(&self, token: &str) -> Result<Arc<User>, TokenError> {
        if token.len() > token::MAX_BYTES {
            return Err(TokenError::Invalid);
        }
        let hash = sha256(token);
        match self.checked.get(&hash) {
            Some(good) if self.now() < good.until => self.admit(&good),
            _ => self.check(token, hash).await,
        }
    }

    /// From now on no token of this session is good (logout, stolen refresh token).
    pub fn revoke_session(&self, session: SessionId) {
        self.revocations.revoke_session(session, self.now());
    }

    /// The same of many at once, also of those that are revoked already.
    pub fn revoke_sessions(&self, sessions: impl IntoIterator<Item = SessionId>) {
        self.revocations.revoke_sessions(sessions, self.now());
    }

    /// From now on no token of this user that was issued before `not_before` (seconds since the
    /// epoch) is good (password changed, role changed, account deleted).
    pub fn revoke_user(&self, user: UserId, not_before: i64) {
        self.revocations.revoke_user(user, not_before, self.now());
    }

    async fn check(&self, token: &str, hash: [u8; 32]) -> Result<Arc<User>, TokenError> {
        let kid = token::key_id(token)?;
        let key = self.keys.get(&kid, || self.checked.invalidate_all()).await?;
        let now = self.now();
        let checked = token::check(token, &key, now)?;
        let until = checked.user.expires_at.min(now + CHECKED_S);
        let good = Good { user: Arc::new(checked.user), issued_at: checked.issued_at, until };
        self.checked.insert(hash, good.clone());
        self.admit(&good)
    }

    fn admit(&self, good: &Good) -> Result<Arc<User>, TokenError> {
        if self.revocations.concern(&good.user, good.issued_at) {
            return Err(TokenError::Invalid);
        }
        Ok(good.user.clone())
    }

    /// The second it is, since the epoch.
    pub fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }
}

fn sha256(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
