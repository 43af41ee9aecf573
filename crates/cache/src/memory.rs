//! The cache of one process.
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::Allowance;
use crate::bucket::{Bucket, Refused};

const MOST_BYTES: u64 = 64 << 20;
const SHARDS: usize = 64;
/// Buckets of one shard.
const MOST_BUCKETS: usize = 2_048;

#[derive(Clone)]
pub(crate) struct Memory {
    values: Cache<Arc<str>, Value>,
    buckets: Arc<Buckets>,
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

/// Buckets by key, in shards with a lock each.
struct Buckets {
    hasher: RandomState,
    began: Instant,
    shards: Vec<Mutex<HashMap<Box<str>, i64>>>,
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
        Self { values, buckets: Arc::new(Buckets::new()) }
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
        self.buckets.take(key, bucket)
    }
}

impl Buckets {
    fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), began: Instant::now(), shards }
    }

    fn take(&self, key: &str, bucket: Bucket) -> Allowance {
        let now = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        // the remainder is smaller than SHARDS
        let place = (self.hasher.hash_one(key) % SHARDS as u64) as usize;
        let mut shard = self.shards[place].lock().unwrap_or_else(PoisonError::into_inner);
        let known = shard.get_mut(key);
        match bucket.take(known.as_deref().copied().unwrap_or(now), now) {
            Err(Refused { wait_us }) => bucket.refused(wait_us),
            Ok(full_at) => {
                if let Some(known) = known {
                    *known = full_at;
                } else {
                    make_room(&mut shard, now);
                    shard.insert(key.into(), full_at);
                }
                bucket.allowed(full_at - now)
            }
        }
    }
}

/// Forgets full buckets when there are many, and then the fullest quarter of the others: they lose
/// least.
fn make_room(shard: &mut HashMap<Box<str>, i64>, now: i64) {
    if shard.len() < MOST_BUCKETS {
        return;
    }
    shard.retain(|_, full_at| *full_at > now);
    if shard.len() < MOST_BUCKETS {
        return;
    }
    let mut times: Vec<i64> = shard.values().copied().collect();
    let (_, quarter, _) = times.select_nth_unstable(MOST_BUCKETS / 4);
    let quarter = *quarter;
    shard.retain(|_, full_at| *full_at > quarter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_buckets_is_bounded_and_the_emptiest_stay() {
        let buckets = Buckets::new();
        let hour = Bucket::new(2, Duration::from_secs(3600));
        buckets.take("busy", hour);
        buckets.take("busy", hour);
        for n in 0..SHARDS * MOST_BUCKETS * 2 {
            buckets.take(&format!("passer-by {n}"), hour);
        }
        let kept: usize = buckets.shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MOST_BUCKETS, "{kept}");
        assert!(!buckets.take("busy", hour).allowed);
    }

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
