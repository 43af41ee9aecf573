//! The brake on guessing: after five failures in a row each further one costs twice the time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Failures of which only the last one has a price.
const FREE: u32 = 5;
/// The longest delay: an owner must not be locked out for long by somebody else.
const LONGEST: Duration = Duration::from_secs(900);
/// After so long without a failure the count begins anew.
pub(crate) const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(24);

/// How long after this many failures no further attempt is heard: 0, then 1, 2, 4 … 900 s.
pub(crate) fn delay(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1 << beyond.min(10)).min(LONGEST),
    }
}

/// The count after one more failure; `until` is the end of the last delay.
pub(crate) fn count(failures: u32, until: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    if now - until > FORGOTTEN_AFTER { 1 } else { failures.saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_begin_with_the_fifth_failure_and_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = (0..18).map(|failures| delay(failures).as_secs()).collect();
        let expected = [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900];
        assert_eq!(seconds, expected);
        assert_eq!(delay(u32::MAX).as_secs(), 900);
    }

    #[test]
    fn a_day_of_peace_begins_the_count_anew() {
        let then = DateTime::UNIX_EPOCH;
        assert_eq!(count(7, then, then + TimeDelta::hours(23)), 8);
        assert_eq!(count(7, then, then + TimeDelta::hours(25)), 1);
        assert_eq!(count(u32::MAX, then, then), u32::MAX);
    }
}
