//! How often a letter with a code is sent again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Letters after the first one.
const RESENDS: i64 = 3;
/// Between two letters.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// Registrations that wait for one address at the same time: each sends letters to somebody who may
/// never have asked.
pub(crate) const WAITING: usize = 5;

/// How long to wait for the next letter; nothing: it is sent now. After the last one that is until
/// the registration is over.
pub(crate) fn pause(
    resends: i64,
    last_mail_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<Duration> {
    let until = if resends >= RESENDS { expires_at } else { last_mail_at + PAUSE };
    (until - now).to_std().ok().filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_sent_again_thrice_a_minute_apart() {
        let then = DateTime::UNIX_EPOCH;
        let end = then + TimeDelta::minutes(15);
        let after = |resends, seconds| {
            let wait = pause(resends, then, end, then + TimeDelta::seconds(seconds));
            wait.map_or(0, |wait| wait.as_secs())
        };
        assert_eq!([after(0, 0), after(0, 59), after(0, 60), after(2, 600)], [60, 1, 0, 0]);
        assert_eq!([after(3, 60), after(3, 899), after(4, 0)], [840, 1, 900]);
    }
}
