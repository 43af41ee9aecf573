//! Redis or memory: bytes with bounded lifetimes and token buckets, shared by all replicas.
//!
//! Never the only copy of anything: every caller can go on when it is empty or away.
use std::time::Duration;

mod bucket;
mod buckets;
mod memory;
mod remote;

pub use buckets::Buckets;

use memory::Memory;
use remote::Remote;

/// Cheap to clone. Memory when `url` is empty, else Redis.
#[derive(Clone)]
pub struct Cache(Place);

#[derive(Clone)]
enum Place {
    Memory(Memory),
    Remote(Remote),
}

/// Redis is away, too slow, or refused; or its URL is none.
#[derive(Debug, thiserror::Error)]
#[error("the cache cannot be reached")]
pub struct CacheError;

/// The answer of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub allowed: bool,
    pub limit: u32,
    pub remaining: u32,
    /// Until one more is allowed (refused) or the bucket is full again (allowed).
    pub reset_after: Duration,
}

impl Cache {
    /// Does not wait for Redis: it is connected with the first operation, and again whenever the
    /// connection was lost. Fails only on a URL that is not `redis://` or `rediss://`.
    #[allow(clippy::unused_async, reason = "callers may rely on a running runtime, and must")]
    pub async fn open(url: &str) -> Result<Self, CacheError> {
        if url.is_empty() {
            return Ok(Self::memory());
        }
        Ok(Self(Place::Remote(Remote::open(url)?)))
    }

    /// At most 64 MiB of values and 131,072 buckets, in this process only.
    pub fn memory() -> Self {
        Self(Place::Memory(Memory::new()))
    }

    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError> {
        match &self.0 {
            Place::Memory(memory) => Ok(memory.get(key)),
            Place::Remote(remote) => remote.get(key).await,
        }
    }

    pub async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), CacheError> {
        match &self.0 {
            Place::Memory(memory) => memory.put(key, value, ttl),
            Place::Remote(remote) => remote.put(key, value, ttl).await?,
        }
        Ok(())
    }

    /// Stores only when absent; false when it was there.
    pub async fn put_new(
        &self,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, CacheError> {
        match &self.0 {
            Place::Memory(memory) => Ok(memory.put_new(key, value, ttl)),
            Place::Remote(remote) => remote.put_new(key, value, ttl).await,
        }
    }

    pub async fn forget(&self, key: &str) -> Result<(), CacheError> {
        match &self.0 {
            Place::Memory(memory) => memory.forget(key),
            Place::Remote(remote) => remote.forget(key).await?,
        }
        Ok(())
    }

    /// Takes one from the token bucket (GCRA) of `key`: `burst` at once, one more each
    /// `period / burst`. Buckets and values are different things: the same key may name both.
    pub async fn take(
        &self,
        key: &str,
        burst: u32,
        period: Duration,
    ) -> Result<Allowance, CacheError> {
        let bucket = bucket::Bucket::new(burst, period);
        match &self.0 {
            Place::Memory(memory) => Ok(memory.take(key, bucket)),
            Place::Remote(remote) => remote.take(key, bucket).await,
        }
    }

    pub async fn ping(&self) -> Result<(), CacheError> {
        match &self.0 {
            Place::Memory(_) => Ok(()),
            Place::Remote(remote) => remote.ping().await,
        }
    }
}
