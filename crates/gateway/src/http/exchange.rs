//! What programs and browsers hold instead of an access token: API keys, and the secrets of cookie
//! sessions. Accounts gives a short access token for them, which is remembered for less than a
//! minute under a hash of what was shown.
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use souk_proto::accounts::v1::{ApiKeyToken, SessionTokens, User};
use souk_rpc::{Failure, Kind};

use super::problem::Problem;

/// What was shown and is remembered, at most.
const MAX: u64 = 20_000;
/// A good one is asked about again after this time at the latest.
const LIFE: Duration = Duration::from_secs(55);
/// So long before its end a token is not handed on any more.
const RESERVE: Duration = Duration::from_secs(5);
/// A bad one.
const BAD: Duration = Duration::from_secs(5);

/// A hash of what was shown: memory holds nothing that opens anything for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shown([u8; 32]);

impl Shown {
    pub(crate) fn api_key(key: &str) -> Self {
        Self::of("api key", key)
    }

    pub(crate) fn session(secret: &str) -> Self {
        Self::of("session", secret)
    }

    fn of(what: &str, secret: &str) -> Self {
        let hash = Sha256::new().chain_update(what).chain_update("\n").chain_update(secret);
        Self(hash.finalize().into())
    }
}

/// What accounts gave for it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) token: Arc<str>,
    /// Whose session it is; `None` for an API key.
    pub(crate) user: Option<User>,
    /// When the session ends at the latest; 0 for an API key.
    pub(crate) expires_at_us: i64,
    life: Duration,
}

impl Held {
    fn life(expires_in_s: u32) -> Duration {
        Duration::from_secs(expires_in_s.into()).saturating_sub(RESERVE).min(LIFE)
    }
}

impl From<ApiKeyToken> for Held {
    fn from(token: ApiKeyToken) -> Self {
        Self {
            life: Self::life(token.expires_in_s),
            token: token.access_token.into(),
            user: None,
            expires_at_us: 0,
        }
    }
}

impl From<SessionTokens> for Held {
    fn from(tokens: SessionTokens) -> Self {
        Self {
            life: Self::life(tokens.expires_in_s),
            token: tokens.access_token.into(),
            user: tokens.user,
            expires_at_us: tokens.session_expires_at_us,
        }
    }
}

/// The answer that is remembered.
#[derive(Clone)]
enum Known {
    Good(Arc<Held>),
    Bad(Arc<Problem>),
}

struct Lifetimes;

impl Expiry<Shown, Known> for Lifetimes {
    fn expire_after_create(&self, _: &Shown, known: &Known, _: Instant) -> Option<Duration> {
        Some(match known {
            Known::Good(held) => held.life,
            Known::Bad(_) => BAD,
        })
    }

    fn expire_after_update(
        &self,
        shown: &Shown,
        known: &Known,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(shown, known, now)
    }
}

/// The memory of one gateway.
pub(crate) struct Exchange {
    known: Cache<Shown, Known>,
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Self { known: Cache::builder().max_capacity(MAX).expire_after(Lifetimes).build() }
    }

    /// What is held for this; `ask` runs when it is not known, once for all who wait. That it is no
    /// good is remembered too, that nobody could be asked is not.
    pub(crate) async fn get<T: Into<Held>>(
        &self,
        shown: Shown,
        ask: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<Arc<Held>, Problem> {
        let asked = async {
            match ask.await {
                Ok(given) => Ok(Known::Good(Arc::new(given.into_inner().into()))),
                Err(status) => judged(Failure::from(status)),
            }
        };
        match self.known.try_get_with(shown, asked).await {
            Ok(Known::Good(held)) => Ok(held),
            Ok(Known::Bad(problem)) => Err((*problem).clone()),
            Err(problem) => Err((*problem).clone()),
        }
    }

    /// The next request asks again.
    pub(crate) async fn forget(&self, shown: Shown) {
        self.known.invalidate(&shown).await;
    }

    /// So do all.
    pub(crate) fn flush(&self) {
        self.known.invalidate_all();
    }
}

fn judged(failure: Failure) -> Result<Known, Problem> {
    match failure.kind {
        Kind::Unauthenticated | Kind::Forbidden => Ok(Known::Bad(Arc::new(failure.into()))),
        _ => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;
    use tonic::{Response, Status};

    use super::*;

    fn token(expires_in_s: u32) -> ApiKeyToken {
        ApiKeyToken { access_token: format!("token-{expires_in_s}"), expires_in_s }
    }

    #[test]
    fn a_token_is_held_for_less_than_it_is_good() {
        let life = |seconds| Held::from(token(seconds)).life.as_secs();
        assert_eq!([0, 5, 6, 60, 600].map(life), [0, 0, 1, 55, 55]);
    }

    #[test]
    fn a_key_is_no_session() {
        assert_ne!(Shown::api_key("x"), Shown::session("x"));
        assert_ne!(Shown::api_key("x"), Shown::api_key("y"));
        assert_eq!(Shown::session("x"), Shown::session("x"));
    }

    #[tokio::test]
    async fn many_at_once_ask_once_and_later_ones_not_at_all() {
        let exchange = Exchange::new();
        let asked = AtomicU32::new(0);
        let ask = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(Response::new(token(60)))
        };
        let shown = Shown::api_key("k");
        for held in join_all((0..50).map(|_| exchange.get(shown, ask()))).await {
            assert_eq!(&*held.unwrap().token, "token-60");
        }
        exchange.get(shown, ask()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        exchange.get(Shown::api_key("other"), ask()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        exchange.forget(shown).await;
        exchange.get(shown, ask()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        exchange.flush();
        exchange.get(shown, ask()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn a_refusal_is_remembered_and_an_absence_is_not() {
        let exchange = Exchange::new();
        let fails = |kind: Kind, reason: &'static str| async move {
            Err::<Response<ApiKeyToken>, _>(Status::from(Failure::new(kind, reason, "no")))
        };
        let works = || async { Ok(Response::new(token(60))) };
        let bad = Shown::api_key("bad");
        let first = exchange.get(bad, fails(Kind::Unauthenticated, "invalid_api_key")).await;
        assert_eq!(first.unwrap_err().status(), 401);
        let again = exchange.get(bad, works()).await;
        assert_eq!(again.unwrap_err().status(), 401, "still remembered");
        let away = Shown::api_key("away");
        let first = exchange.get(away, fails(Kind::Unavailable, "accounts_away")).await;
        assert_eq!(first.unwrap_err().status(), 503);
        assert!(exchange.get(away, works()).await.is_ok());
    }
}
