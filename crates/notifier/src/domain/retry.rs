//! When a letter that did not go out is tried again, and how long all wait when the mail system
//! asks for patience.
use std::time::Duration;

/// Attempts after which a letter is given up.
pub const MOST_ATTEMPTS: u32 = 8;

/// The pause after the attempt of that number (1 is the first); `None`: give up.
pub fn backoff(attempt: u32) -> Option<Duration> {
    const PAUSES: [u64; 5] = [5, 30, 2 * 60, 10 * 60, 60 * 60];
    if attempt >= MOST_ATTEMPTS {
        return None;
    }
    let index = (attempt.max(1) - 1) as usize;
    Some(Duration::from_secs(*PAUSES.get(index).unwrap_or(&3600)))
}

/// How long nobody sends after the mail system throttled for the `streak`-th time in a row
/// (1 is the first): 1 s, doubling up to a minute.
pub fn hold(streak: u32) -> Duration {
    let seconds = 1_u64 << streak.saturating_sub(1).min(6);
    Duration::from_secs(seconds.min(60))
}

/// The pause of a letter of that age whose words cannot be had: as long as it waited, 1 s to 30 s.
pub fn wait(age: Duration) -> Duration {
    age.clamp(Duration::from_secs(1), Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (1..=8).map(|n| backoff(n).map(|d| d.as_secs())).collect();
        let expected =
            [Some(5), Some(30), Some(120), Some(600), Some(3600), Some(3600), Some(3600), None];
        assert_eq!(pauses, expected);
    }

    #[test]
    fn who_waited_long_is_looked_after_less_often() {
        let waits = [0, 1, 7, 30, 3600].map(|age| wait(Duration::from_secs(age)).as_secs());
        assert_eq!(waits, [1, 1, 7, 30, 30]);
    }

    #[test]
    fn holds_double_up_to_a_minute() {
        let holds: Vec<_> = (1..=9).map(|n| hold(n).as_secs()).collect();
        assert_eq!(holds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
