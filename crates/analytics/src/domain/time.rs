//! Hours and days, counted from the Unix epoch, in UTC.

pub(crate) const HOUR_US: i64 = 3_600_000_000;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;

/// The hour that holds an instant.
pub(crate) fn hour_of(us: i64) -> i64 {
    us.div_euclid(HOUR_US)
}

/// The day that holds an instant.
pub(crate) fn day_of(us: i64) -> i64 {
    us.div_euclid(DAY_US)
}
