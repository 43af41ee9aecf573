//! The cache of one process.
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::bucket::Bucket;
use crate::{Allowance, Buckets};

const MOST_BYTES: u64 = 64 << 20;

#[derive(Clone)]
pub(crate) struct Memory {
    values: Cache<Arc<str>, Value>,
    buckets: Arc<Buckets<String>>,
}

#[derive(Clone)]
struct Value {
    bytes: Arc<[u8]>,
    ttl: Duration,
}

/// A value lives as long as it was stored for, counted from its last write.
struct OwnTtl;

impl Expiry<Arc<str>, Value> for OwnTtl {
    fn expire_after_create(&self, _: &Arc<str>, value: &Value, _: Instant) -> Option<Duration> {
        Some(value.ttl)
    }
    fn expire_after_update(
        &self,
        _: &Arc<str>,
        value: &Value,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(value.ttl)
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        let weight = |key: &Arc<str>, value: &Value| {
            u32::try_from(key.len() + value.bytes.len() + 64).unwrap_or(u32::MAX)
        };
        let values = Cache::builder()
            .max_capacity(MOST_BYTES)
            .weigher(weight)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(OwnTtl)
            .build();
        Self { values, buckets: Arc::default() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.values.get(key).map(|value| value.bytes.to_vec())
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8], ttl: Duration) {
        self.values.insert(key.into(), Value { bytes: bytes.into(), ttl });
    }

    pub(crate) fn put_new(&self, key: &str, bytes: &[u8], ttl: Duration) -> bool {
        let value = || Value { bytes: bytes.into(), ttl };
        self.values.entry(key.into()).or_insert_with(value).is_fresh()
    }

    pub(crate) fn forget(&self, key: &str) {
        self.values.invalidate(key);
    }

    pub(crate) fn take(&self, key: &str, bucket: Bucket) -> Allowance {
        self.buckets.take_of(key, bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_push_old_ones_out() {
        let memory = Memory::new();
        let megabyte = vec![7; 1 << 20];
        for n in 0..100 {
            memory.put(&n.to_string(), &megabyte, Duration::from_secs(60));
        }
        memory.values.run_pending_tasks();
        assert!(memory.values.weighted_size() <= MOST_BYTES);
        assert!(memory.get("0").is_none() && memory.get("99").is_some());
    }
}
