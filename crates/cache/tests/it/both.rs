//! What memory and Redis answer alike.
use std::time::Duration;

use souk_cache::Cache;

use crate::{key, redis_url};

/// Makes a test of each function, for memory and for Redis.
macro_rules! on_both {
    ($(async fn $name:ident($cache:ident: Cache) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn play($cache: Cache) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_memory() {
                play(Cache::open("").await.unwrap()).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                play(Cache::open(&redis_url()).await.unwrap()).await;
            }
        }
    )+};
}

const MINUTE: Duration = Duration::from_secs(60);

/// Waits until `key` is gone; three minutes are for loaded machines, not for the code.
async fn until_gone(cache: &Cache, key: &str) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..36_000 {
        ticks.tick().await;
        if cache.get(key).await.unwrap().is_none() {
            return;
        }
    }
    panic!("{key} stays");
}

on_both! {
    async fn values_are_kept_replaced_and_forgotten(cache: Cache) {
        let key = key("value");
        assert_eq!(cache.get(&key).await.unwrap(), None);
        cache.put(&key, b"one\0\xff", MINUTE).await.unwrap();
        assert_eq!(cache.get(&key).await.unwrap().as_deref(), Some(&b"one\0\xff"[..]));
        cache.put(&key, b"", MINUTE).await.unwrap();
        assert_eq!(cache.get(&key).await.unwrap().as_deref(), Some(&b""[..]));
        cache.forget(&key).await.unwrap();
        cache.forget(&key).await.unwrap();
        assert_eq!(cache.get(&key).await.unwrap(), None);
        cache.ping().await.unwrap();
    }

    async fn values_end_by_themselves(cache: Cache) {
        let (short, long) = (key("short"), key("long"));
        cache.put(&long, b"x", MINUTE).await.unwrap();
        cache.put(&short, b"x", Duration::from_millis(50)).await.unwrap();
        until_gone(&cache, &short).await;
        assert!(cache.get(&long).await.unwrap().is_some());
        // a second write brings its own lifetime
        cache.put(&long, b"x", Duration::from_millis(50)).await.unwrap();
        until_gone(&cache, &long).await;
        cache.put(&short, b"x", Duration::ZERO).await.unwrap();
        until_gone(&cache, &short).await;
    }

    async fn of_many_who_put_a_new_value_one_succeeds(cache: Cache) {
        let key = key("new");
        let tries: Vec<_> = (0..100_u8)
            .map(|n| {
                let (cache, key) = (cache.clone(), key.clone());
                tokio::spawn(async move { cache.put_new(&key, &[n], MINUTE).await.unwrap() })
            })
            .collect();
        let mut winners = Vec::new();
        for (n, tried) in (0..).zip(tries) {
            if tried.await.unwrap() {
                winners.push(n);
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(cache.get(&key).await.unwrap(), Some(winners));
        cache.forget(&key).await.unwrap();
        assert!(cache.put_new(&key, b"", Duration::from_millis(20)).await.unwrap());
        until_gone(&cache, &key).await;
        assert!(cache.put_new(&key, b"", MINUTE).await.unwrap());
    }

    async fn of_two_hundred_takes_at_once_exactly_the_burst_is_allowed(cache: Cache) {
        let key = key("burst");
        let takes: Vec<_> = (0..200)
            .map(|_| {
                let (cache, key) = (cache.clone(), key.clone());
                tokio::spawn(async move { cache.take(&key, 20, 60 * MINUTE).await.unwrap() })
            })
            .collect();
        let (mut left, mut refused) = (Vec::new(), 0);
        for take in takes {
            let answer = take.await.unwrap();
            assert_eq!(answer.limit, 20);
            assert!(answer.reset_after <= 60 * MINUTE);
            if answer.allowed {
                left.push(answer.remaining);
            } else {
                assert_eq!(answer.remaining, 0);
                assert!(answer.reset_after <= 3 * MINUTE && answer.reset_after > 2 * MINUTE);
                refused += 1;
            }
        }
        left.sort_unstable();
        assert_eq!(left, (0..20).collect::<Vec<u32>>());
        assert_eq!(refused, 180);
    }

    async fn an_empty_bucket_fills_again(cache: Cache) {
        let key = key("refill");
        let period = Duration::from_millis(300);
        for _ in 0..3 {
            cache.take(&key, 3, period).await.unwrap();
        }
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..1_000 {
            ticks.tick().await;
            let answer = cache.take(&key, 3, period).await.unwrap();
            if answer.allowed {
                // other buckets are not touched, nor is a value of the same name
                assert!(cache.take(&crate::key("other"), 1, MINUTE).await.unwrap().allowed);
                assert_eq!(cache.get(&key).await.unwrap(), None);
                return;
            }
            assert!(answer.reset_after <= Duration::from_millis(100));
        }
        panic!("never allowed again");
    }
}
