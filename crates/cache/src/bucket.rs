//! The generic cell rate algorithm: a bucket is one number, the time at which it is full again.
use std::time::Duration;

use crate::Allowance;

/// A bucket's measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    burst: u32,
    /// Microseconds until one more is allowed; at least 1.
    interval_us: i64,
}

impl Bucket {
    pub(crate) fn new(burst: u32, period: Duration) -> Self {
        let burst = burst.max(1);
        let period_us = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
        // a hundred years: sums of a few stay far inside i64, and inside what Lua counts exactly
        let period_us = period_us.min(3_155_760_000_000_000);
        Self { burst, interval_us: (period_us / i64::from(burst)).max(1) }
    }

    pub(crate) fn burst(&self) -> u32 {
        self.burst
    }

    pub(crate) fn interval_us(&self) -> i64 {
        self.interval_us
    }

    /// Takes one at `now_us` from a bucket that is full at `full_at_us`. Answers when the bucket
    /// will be full then.
    pub(crate) fn take(&self, full_at_us: i64, now_us: i64) -> Result<i64, Refused> {
        let full_at = full_at_us.max(now_us) + self.interval_us;
        let allowed_at = full_at - self.interval_us * i64::from(self.burst);
        if allowed_at > now_us {
            Err(Refused { wait_us: allowed_at - now_us })
        } else {
            Ok(full_at)
        }
    }

    pub(crate) fn allowed(&self, full_in_us: i64) -> Allowance {
        let left = i64::from(self.burst) - (full_in_us + self.interval_us - 1) / self.interval_us;
        Allowance {
            allowed: true,
            limit: self.burst,
            remaining: u32::try_from(left).unwrap_or_default(),
            reset_after: micros(full_in_us),
        }
    }

    pub(crate) fn refused(&self, wait_us: i64) -> Allowance {
        // a clock that was read just before the last take counted asks for more than there is
        let reset_after = micros(wait_us.min(self.interval_us));
        Allowance { allowed: false, limit: self.burst, remaining: 0, reset_after }
    }
}

/// Nothing left for so long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) wait_us: i64,
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_burst_is_allowed_at_once_and_then_one_by_one() {
        let bucket = Bucket::new(3, Duration::from_secs(3));
        let mut full_at = 0;
        for left in [2, 1, 0] {
            full_at = bucket.take(full_at, 100).unwrap();
            assert_eq!(bucket.allowed(full_at - 100).remaining, left);
        }
        assert_eq!(full_at, 100 + 3 * SECOND);
        assert_eq!(bucket.take(full_at, 100), Err(Refused { wait_us: SECOND }));
        assert_eq!(bucket.take(full_at, 99 + SECOND), Err(Refused { wait_us: 1 }));
        let full_at = bucket.take(full_at, 100 + SECOND).unwrap();
        assert!(bucket.take(full_at, 100 + SECOND).is_err());
        // a long rest gives the burst back, and no more
        let later = 1_000 * SECOND;
        let full_at = bucket.take(full_at, later).unwrap();
        assert_eq!(bucket.allowed(full_at - later).remaining, 2);
    }

    #[test]
    fn odd_measures_neither_divide_by_zero_nor_overflow() {
        let zero = Bucket::new(0, Duration::ZERO);
        assert_eq!((zero.burst(), zero.interval_us()), (1, 1));
        let vast = Bucket::new(1, Duration::MAX);
        let full_at = vast.take(0, 2_000_000_000 * SECOND).unwrap();
        assert!(vast.take(full_at, 2_000_000_000 * SECOND).is_err());
    }
}
