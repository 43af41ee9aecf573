//! Which span of time is asked for. It is widened to whole hours or days: counts know no less.
use std::ops::Range;

use super::time::{DAY_US, HOUR_US, day_of, hour_of};

const DEFAULT_DAYS: i64 = 30;
pub(crate) const MOST_HOURS: i64 = 92 * 24;
pub(crate) const MOST_DAYS: i64 = 3_660;
/// The year 10000.
const END_OF_TIME_US: i64 = 253_402_300_800_000_000;

/// From inclusive, to exclusive, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    from_us: i64,
    to_us: i64,
}

/// A rule and the field that breaks it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum WindowError {
    #[error("must be between the years 1970 and 9999")]
    Impossible(&'static str),
    #[error("must be before the end of the window")]
    Reversed,
    #[error("must be at most {0} days before the end of the window")]
    TooLong(i64),
}

impl WindowError {
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Impossible(field) => field,
            Self::Reversed | Self::TooLong(_) => "from",
        }
    }
}

impl Window {
    /// 0 is open: up to now, and 30 days long.
    pub(crate) fn new(from_us: i64, to_us: i64, now_us: i64) -> Result<Self, WindowError> {
        for (field, us) in [("from", from_us), ("to", to_us)] {
            if !(0..END_OF_TIME_US).contains(&us) {
                return Err(WindowError::Impossible(field));
            }
        }
        let to_us = if to_us == 0 { now_us } else { to_us };
        let from_us = if from_us == 0 { (to_us - DEFAULT_DAYS * DAY_US).max(0) } else { from_us };
        if from_us >= to_us {
            return Err(WindowError::Reversed);
        }
        Ok(Self { from_us, to_us })
    }

    /// The hours it touches, at most 2,208 (the oldest of 92 days that begin within an hour is left
    /// out).
    pub(crate) fn hours(&self) -> Result<Range<i64>, WindowError> {
        self.within(MOST_HOURS / 24)?;
        let end = hour_of(self.to_us - 1) + 1;
        Ok(hour_of(self.from_us).max(end - MOST_HOURS)..end)
    }

    /// The days it touches, at most 3,660.
    pub(crate) fn days(&self) -> Result<Range<i64>, WindowError> {
        self.within(MOST_DAYS)?;
        let end = day_of(self.to_us - 1) + 1;
        Ok(day_of(self.from_us).max(end - MOST_DAYS)..end)
    }

    /// Short enough to be worth the hours: a week.
    pub(crate) fn is_short(&self) -> bool {
        self.to_us - self.from_us <= 7 * 24 * HOUR_US
    }

    fn within(&self, days: i64) -> Result<(), WindowError> {
        if self.to_us - self.from_us > days * DAY_US {
            Err(WindowError::TooLong(days))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_window_is_the_last_thirty_days() {
        let now = 100 * DAY_US + 5;
        let window = Window::new(0, 0, now).unwrap();
        assert_eq!(window.days(), Ok(70..101));
        assert_eq!(Window::new(0, 50 * DAY_US, now).unwrap().days(), Ok(20..50));
        assert_eq!(Window::new(99 * DAY_US, 0, now).unwrap().days(), Ok(99..101));
        assert_eq!(Window::new(0, DAY_US, now).unwrap().days(), Ok(0..1));
    }

    #[test]
    fn a_window_touches_whole_hours_and_days_within_its_bounds() {
        let to = 400 * DAY_US;
        let hours = |from, to| Window::new(from, to, 0).unwrap().hours();
        assert_eq!(hours(HOUR_US, 2 * HOUR_US), Ok(1..2));
        assert_eq!(hours(HOUR_US - 1, 2 * HOUR_US + 1), Ok(0..3));
        assert_eq!(hours(to - 92 * DAY_US, to).unwrap().count(), 2_208);
        assert_eq!(hours(to - 92 * DAY_US + 5, to + 5).unwrap().count(), 2_208);
        assert_eq!(hours(to - 92 * DAY_US - 1, to), Err(WindowError::TooLong(92)));
        let days = |from, to| Window::new(from, to, 0).unwrap().days();
        let to = 5_000 * DAY_US;
        assert_eq!(days(to - 3_660 * DAY_US + 1, to + 1).unwrap().count(), 3_660);
        assert_eq!(days(to - 3_660 * DAY_US - 1, to), Err(WindowError::TooLong(3_660)));
    }

    #[test]
    fn impossible_windows_are_refused_by_the_name_of_their_field() {
        let field = |from, to| Window::new(from, to, DAY_US).unwrap_err().field();
        assert_eq!(Window::new(5, 5, 0), Err(WindowError::Reversed));
        assert_eq!(Window::new(9, 5, 0), Err(WindowError::Reversed));
        assert_eq!(field(-1, 5), "from");
        assert_eq!(field(1, i64::MAX), "to");
        assert_eq!(field(i64::MIN, 0), "from");
    }
}
