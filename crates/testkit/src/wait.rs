//! Waiting for a condition with a bound; tests have no other way to let time pass.
use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until `look` answers `Ok`; after `bound` the test fails with the last reason.
pub async fn eventually<T, E, F>(what: &str, bound: Duration, mut look: impl FnMut() -> F) -> T
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(reason) if started.elapsed() > bound => {
                panic!("{what}: not within {bound:?}; last seen: {reason}")
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Looks again and again until `look` answers something; after nine thousand looks the test fails. On
/// a machine that has other things to do each look takes longer, too.
pub async fn until_some<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    for _ in 0..9_000 {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{what}: it never happened")
}
