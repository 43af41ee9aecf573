//! Token buckets in the memory of one process, bounded in number.
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Allowance;
use crate::bucket::{Bucket, Refused};

const SHARDS: usize = 64;
/// Buckets of one shard.
const MOST: usize = 2_048;

/// Token buckets (GCRA) by key, in shards with a lock each; at most 131,072. When there are more, full ones are
/// forgotten and then the fullest.
#[derive(Debug)]
pub struct Buckets<K> {
    hasher: RandomState,
    began: Instant,
    /// When each bucket is full again, microseconds since `began`.
    shards: Vec<Mutex<HashMap<K, i64>>>,
}

impl<K: Hash + Eq> Default for Buckets<K> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), began: Instant::now(), shards }
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes one from the bucket of `key`: `burst` at once, one more each `period / burst`.
    pub fn take<Q>(&self, key: &Q, burst: u32, period: Duration) -> Allowance
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.take_of(key, Bucket::new(burst, period))
    }

    pub(crate) fn take_of<Q>(&self, key: &Q, bucket: Bucket) -> Allowance
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
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
                    shard.insert(key.to_owned(), full_at);
                }
                bucket.allowed(full_at - now)
            }
        }
    }
}

/// Forgets full buckets when there are many, and then the fullest quarter of the others: they lose
/// least.
fn make_room<K: Hash + Eq>(shard: &mut HashMap<K, i64>, now: i64) {
    if shard.len() < MOST {
        return;
    }
    shard.retain(|_, full_at| *full_at > now);
    if shard.len() < MOST {
        return;
    }
    let mut times: Vec<i64> = shard.values().copied().collect();
    let (_, quarter, _) = times.select_nth_unstable(MOST / 4);
    let quarter = *quarter;
    shard.retain(|_, full_at| *full_at > quarter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_buckets_is_bounded_and_the_emptiest_stay() {
        let buckets: Buckets<String> = Buckets::default();
        let hour = Bucket::new(2, Duration::from_secs(3600));
        buckets.take_of("busy", hour);
        buckets.take_of("busy", hour);
        for n in 0..SHARDS * MOST * 2 {
            buckets.take_of(format!("passer-by {n}").as_str(), hour);
        }
        let kept: usize = buckets.shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MOST, "{kept}");
        assert!(!buckets.take_of("busy", hour).allowed);
    }
}
