//! How many refusals are told one by one, so that nobody fills the disk by being refused.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const MINUTE_US: i64 = 60_000_000;
/// Of one actor at one target in a minute.
const EACH: u64 = 10;
/// Of all in a minute.
const ALL: u64 = 300;
/// Keys that are told apart in a minute.
const KEYS: usize = 1_000;
/// Summaries of a minute; the rest is added up.
const SUMMARIES: usize = 100;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) target: String,
}

impl Key {
    fn others() -> Self {
        let several = || "several".to_owned();
        Self { actor: several(), action: several(), target: several() }
    }
}

/// The refusals of the current minute.
#[derive(Default)]
pub(crate) struct Brake(Mutex<Minute>);

#[derive(Default)]
struct Minute {
    began_us: i64,
    told: u64,
    calls: HashMap<Key, Calls>,
    /// Of minutes that ended, not yet told.
    ended: HashMap<Key, u64>,
}

#[derive(Default)]
struct Calls {
    told: u64,
    more: u64,
}

impl Brake {
    /// Whether this one is told by itself; if not, it is counted.
    pub(crate) fn admits(&self, mut key: Key, now_us: i64) -> bool {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now_us, false);
        if minute.calls.len() >= KEYS && !minute.calls.contains_key(&key) {
            key = Key::others();
        }
        let room = minute.told < ALL;
        let calls = minute.calls.entry(key).or_default();
        if room && calls.told < EACH {
            calls.told += 1;
            minute.told += 1;
            true
        } else {
            calls.more += 1;
            false
        }
    }

    /// The calls of minutes that ended which were not told one by one; `all`: of this minute, too.
    pub(crate) fn settle(&self, now_us: i64, all: bool) -> Vec<(Key, u64)> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now_us, all);
        let mut ended: Vec<(Key, u64)> = minute.ended.drain().collect();
        if ended.len() > SUMMARIES {
            ended.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let rest: u64 = ended.drain(SUMMARIES..).map(|(_, more)| more).sum();
            ended.push((Key::others(), rest));
        }
        ended
    }
}

impl Minute {
    /// Begins a new minute when the old one is over, or in any case.
    fn turn(&mut self, now_us: i64, anyway: bool) {
        // also when the clock was set back
        if !anyway && (0..MINUTE_US).contains(&(now_us - self.began_us)) {
            return;
        }
        (self.began_us, self.told) = (now_us, 0);
        for (key, calls) in self.calls.drain() {
            if calls.more > 0 {
                *self.ended.entry(key).or_default() += calls.more;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_800_000_000_000_000;

    fn key(actor: &str, target: &str) -> Key {
        Key { actor: actor.into(), action: "rpc.refused".into(), target: target.into() }
    }

    fn admitted(brake: &Brake, actor: &str, target: &str, times: usize, now: i64) -> usize {
        (0..times).filter(|_| brake.admits(key(actor, target), now)).count()
    }

    #[test]
    fn ten_a_minute_are_told_and_the_rest_is_counted() {
        let brake = Brake::default();
        assert_eq!(admitted(&brake, "usr_a", "/m", 25, NOON), 10);
        assert_eq!(admitted(&brake, "usr_a", "/n", 3, NOON), 3);
        assert_eq!(admitted(&brake, "usr_b", "/m", 11, NOON + MINUTE_US - 1), 10);
        assert!(brake.settle(NOON + MINUTE_US - 1, false).is_empty());
        let mut ended = brake.settle(NOON + MINUTE_US, false);
        ended.sort();
        let told: Vec<_> = ended.iter().map(|(k, n)| (k.actor.as_str(), *n)).collect();
        assert_eq!(told, [("usr_a", 15), ("usr_b", 1)]);
        assert!(brake.settle(NOON + 2 * MINUTE_US, false).is_empty());
        assert_eq!(admitted(&brake, "usr_a", "/m", 25, NOON + 3 * MINUTE_US), 10);
        assert_eq!(brake.settle(NOON + 3 * MINUTE_US, true)[0].1, 15);
    }

    #[test]
    fn many_actors_together_are_bounded_too() {
        let brake = Brake::default();
        let told =
            (0..5_000).filter(|n| brake.admits(key(&format!("usr_{n}"), "/m"), NOON)).count();
        assert_eq!(told as u64, ALL);
        let ended = brake.settle(NOON + MINUTE_US, false);
        assert!(ended.len() <= SUMMARIES + 1);
        let more: u64 = ended.iter().map(|(_, more)| more).sum();
        assert_eq!(more, 5_000 - ALL);
    }
}
