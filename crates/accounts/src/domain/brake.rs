//! The brake on guessing: after five failures each further one costs twice the time, and one
//! network is heard only so often.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Failures of which only the last one has a price.
const FREE: u32 = 5;
/// The price of that one. With its doubles at most ten guesses are heard in any ten minutes.
const FIRST_S: u64 = 15;
/// The longest delay: an owner must not be locked out for long by somebody else.
const LONGEST: Duration = Duration::from_secs(900);
/// After so long without a failure the count begins anew.
pub(crate) const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(24);

/// How long after this many failures no further attempt is heard: 0, then 15, 30, 60 … 900 s.
pub(crate) fn delay(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(FIRST_S << beyond.min(6)).min(LONGEST),
    }
}

/// The count after one more failure; `until` is the end of the last delay.
pub(crate) fn count(failures: u32, until: DateTime<Utc>, now: DateTime<Utc>) -> u32 {
    if now - until > FORGOTTEN_AFTER { 1 } else { failures.saturating_add(1) }
}

/// Guesses of one network that are heard in any ten minutes.
pub(crate) const HEARD: u64 = 100;
/// Two moments that are ten minutes apart lie in the first and the last of so many minutes.
const WINDOW: i64 = 11;
/// Failures of one network in an hour after which it is blocked.
const MOST_IN_AN_HOUR: u64 = 300;
/// For so long.
pub(crate) const BLOCKED_FOR: TimeDelta = TimeDelta::hours(1);
/// So many minutes of a network's failures are of interest.
pub(crate) const MINUTES: i64 = 60;

/// Failures of one network in one minute since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) minute: i64,
    pub(crate) failures: u64,
}

/// The minute of a moment.
pub(crate) fn minute(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

/// How long a network waits that has more than `most` failures of late; `None`: it may go on.
/// `minutes` in order.
pub(crate) fn wait(minutes: &[Minute], most: u64, now: DateTime<Utc>) -> Option<Duration> {
    let late = minutes.iter().filter(|m| m.minute > minute(now) - WINDOW);
    let mut over = late.clone().map(|m| m.failures).sum::<u64>().checked_sub(most + 1)?;
    // from the oldest on: the first minute that takes away enough when it goes
    for m in late {
        match over.checked_sub(m.failures) {
            Some(left) => over = left,
            None => {
                let gone = DateTime::from_timestamp((m.minute + WINDOW) * 60, 0)?;
                return Some((gone - now).to_std().unwrap_or_default());
            }
        }
    }
    None
}

/// Whether a network failed so often in an hour that it is shut out for a while.
pub(crate) fn is_attack(minutes: &[Minute], now: DateTime<Utc>) -> bool {
    let late = minutes.iter().filter(|m| m.minute > minute(now) - MINUTES);
    late.map(|m| m.failures).sum::<u64>() > MOST_IN_AN_HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_begin_with_the_fifth_failure_and_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<u64> = (0..14).map(|failures| delay(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(delay(u32::MAX).as_secs(), 900);
    }

    #[test]
    fn whoever_guesses_as_fast_as_allowed_is_heard_ten_times_in_any_ten_minutes() {
        let mut heard = Vec::new();
        let (mut at, mut failures) = (0, 0);
        while at < 86_400 {
            heard.push(at);
            failures += 1;
            at += delay(failures).as_secs();
        }
        for from in &heard {
            let within = heard.iter().filter(|at| (*from..from + 600).contains(*at)).count();
            assert!(within <= 10, "{within} from {from}");
        }
        assert_eq!(heard.iter().filter(|at| **at < 600).count(), 10);
    }

    #[test]
    fn a_day_of_peace_begins_the_count_anew() {
        let then = DateTime::UNIX_EPOCH;
        assert_eq!(count(7, then, then + TimeDelta::hours(23)), 8);
        assert_eq!(count(7, then, then + TimeDelta::hours(25)), 1);
        assert_eq!(count(u32::MAX, then, then), u32::MAX);
    }

    fn minutes(failures: &[(i64, u64)]) -> Vec<Minute> {
        failures.iter().map(|&(minute, failures)| Minute { minute, failures }).collect()
    }

    fn at(minute: i64, second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60 + second, 0).unwrap()
    }

    #[test]
    fn a_network_waits_until_enough_of_its_failures_are_old() {
        let seconds = |failures: &[(i64, u64)], now| {
            wait(&minutes(failures), HEARD - 1, now).map(|wait| wait.as_secs())
        };
        assert_eq!(seconds(&[], at(100, 0)), None);
        assert_eq!(seconds(&[(100, 99)], at(100, 0)), None);
        // the hundred of one minute go together, ten minutes after its end
        assert_eq!(seconds(&[(100, 100)], at(100, 20)), Some(640));
        assert_eq!(seconds(&[(100, 100)], at(110, 59)), Some(1));
        assert_eq!(seconds(&[(100, 100)], at(111, 0)), None);
        // one less is enough, and the oldest goes first
        assert_eq!(seconds(&[(100, 1), (105, 99)], at(106, 0)), Some(300));
        assert_eq!(seconds(&[(100, 1), (105, 100)], at(106, 0)), Some(600));
        assert_eq!(seconds(&[(80, 500), (105, 99)], at(106, 0)), None);
    }

    #[test]
    fn in_any_ten_minutes_a_network_is_heard_a_hundred_times() {
        // as fast as allowed for three hours, a hundred attempts a minute
        let mut kept: Vec<Minute> = Vec::new();
        for tick in 0..180 {
            let now = at(1_000 + tick, 0);
            kept.push(Minute { minute: minute(now), failures: 0 });
            for _ in 0..100 {
                if wait(&kept, HEARD - 1, now).is_none() {
                    kept.last_mut().unwrap().failures += 1;
                }
            }
        }
        for eleven in kept.windows(11) {
            assert!(eleven.iter().map(|m| m.failures).sum::<u64>() <= HEARD);
        }
        let all = kept.iter().map(|m| m.failures).sum::<u64>();
        assert_eq!(all, 1_700, "a hundred every eleven minutes");
        assert!(is_attack(&kept, at(1_000 + 179, 0)));
    }

    #[test]
    fn three_hundred_failures_in_an_hour_are_an_attack_when_one_more_comes() {
        let now = at(1_000, 30);
        assert!(!is_attack(&minutes(&[(941, 150), (1_000, 150)]), now));
        assert!(is_attack(&minutes(&[(941, 150), (1_000, 151)]), now));
        assert!(!is_attack(&minutes(&[(940, 150), (1_000, 300)]), now));
    }
}
