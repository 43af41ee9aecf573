//! The cache that all processes share: Redis.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, RedisResult, Script};
use tokio::time::timeout;

use crate::bucket::Bucket;
use crate::{Allowance, CacheError};

/// No caller waits longer than that for an answer.
const PATIENCE: Duration = Duration::from_millis(200);
/// Within that, so that a hanging connection attempt ends by itself and is begun anew.
const CONNECT: Duration = Duration::from_millis(150);
/// After a time-out nobody waits again for so long: a cache that hangs must not slow every request.
const REST: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(crate) struct Remote {
    connection: ConnectionManager,
    shared: Arc<Shared>,
}

struct Shared {
    take: Script,
    began: Instant,
    /// Milliseconds since `began` until which operations fail at once.
    resting_until: AtomicU64,
    /// The last operation failed; for the log.
    away: AtomicBool,
}

impl Remote {
    pub(crate) fn open(url: &str) -> Result<Self, CacheError> {
        let client = Client::open(url).map_err(|_| CacheError)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(PATIENCE))
            // the next operation tries again anyway
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client, config);
        let shared = Shared {
            take: Script::new(include_str!("take.lua")),
            began: Instant::now(),
            resting_until: AtomicU64::new(0),
            away: AtomicBool::new(false),
        };
        let connection = connection.map_err(|_| CacheError)?;
        Ok(Self { connection, shared: Arc::new(shared) })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError> {
        self.ask(Cmd::new().arg("GET").arg(key)).await
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> Result<(), CacheError> {
        self.ask(Cmd::new().arg("SET").arg(key).arg(value).arg("PX").arg(millis(ttl))).await
    }

    pub(crate) async fn put_new(
        &self,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, CacheError> {
        let mut set = Cmd::new();
        set.arg("SET").arg(key).arg(value).arg("NX").arg("PX").arg(millis(ttl));
        let stored: Option<String> = self.ask(&set).await?;
        Ok(stored.is_some())
    }

    pub(crate) async fn forget(&self, key: &str) -> Result<(), CacheError> {
        self.ask(Cmd::new().arg("DEL").arg(key)).await
    }

    pub(crate) async fn take(&self, key: &str, bucket: Bucket) -> Result<Allowance, CacheError> {
        let mut call = self.shared.take.key(format!("bucket:{key}"));
        call.arg(bucket.burst()).arg(bucket.interval_us());
        let mut connection = self.connection.clone();
        let (allowed, us) = self.within(call.invoke_async(&mut connection)).await?;
        Ok(if allowed { bucket.allowed(us) } else { bucket.refused(us) })
    }

    pub(crate) async fn ping(&self) -> Result<(), CacheError> {
        let _pong: String = self.ask(Cmd::new().arg("PING")).await?;
        Ok(())
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CacheError> {
        let mut connection = self.connection.clone();
        self.within(command.query_async(&mut connection)).await
    }

    async fn within<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, CacheError> {
        let Shared { began, resting_until, away, .. } = &*self.shared;
        let since = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if since() < resting_until.load(Ordering::Relaxed) {
            return Err(CacheError);
        }
        let error = match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => {
                if away.swap(false, Ordering::Relaxed) {
                    tracing::info!("cache answers again");
                }
                return Ok(answer);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        if error.as_ref().is_none_or(RedisError::is_timeout) {
            let pause = u64::try_from(REST.as_millis()).unwrap_or_default();
            resting_until.store(since() + pause, Ordering::Relaxed);
        }
        let error = error.map_or("no answer in time".to_owned(), |e| e.to_string());
        if away.swap(true, Ordering::Relaxed) {
            tracing::debug!(error, "cache is still away");
        } else {
            tracing::warn!(error, "cache is away, going on without");
        }
        Err(CacheError)
    }
}

/// Redis refuses 0.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
}
