//! How many letters one person gets at once: the first `threshold` changes of a minute each get
//! their own, the later ones wait for a digest.
use chrono::{DateTime, TimeDelta, Utc};

/// How long `threshold` letters count.
pub const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// The minute of one person: it begins with the first change after the minute before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub since: DateTime<Utc>,
    /// Letters of their own since then.
    pub taken: u32,
}

impl Pace {
    /// Whether the next change gets its own letter; counts it if so.
    pub fn admits(&mut self, now: DateTime<Utc>, threshold: u32) -> bool {
        // a clock that was set back must not keep a minute open for an hour
        if now >= self.since + MINUTE || now < self.since {
            *self = Self { since: now, taken: 0 };
        }
        let admitted = self.taken < threshold;
        if admitted {
            self.taken += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn the_first_changes_of_a_minute_go_at_once_and_the_next_minute_begins_anew() {
        let mut pace = Pace { since: at(0), taken: 0 };
        let admitted = (0..5).filter(|s| pace.admits(at(*s), 3)).count();
        assert_eq!(admitted, 3);
        assert!(!pace.admits(at(59), 3));
        assert!(pace.admits(at(60), 3));
        assert_eq!(pace, Pace { since: at(60), taken: 1 });
    }

    #[test]
    fn a_clock_set_back_begins_a_new_minute() {
        let mut pace = Pace { since: at(3600), taken: 3 };
        assert!(pace.admits(at(0), 3));
    }

    #[test]
    fn a_threshold_of_nothing_sends_every_change_to_the_digest() {
        assert!(!Pace { since: at(0), taken: 0 }.admits(at(90), 0));
    }
}
