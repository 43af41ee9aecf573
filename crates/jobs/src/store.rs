//! The tables `job` and `job_result`, and every query about them.
pub(crate) mod job;
pub(crate) mod result;

pub(crate) use job::{Ending, cancel, claim, end, find, free_all, heartbeat, insert, list, save};
pub(crate) use result::{bulk_insert, list as list_results};

/// Databases count in `i64`; no job has that many items.
pub(crate) fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn to_u64(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
