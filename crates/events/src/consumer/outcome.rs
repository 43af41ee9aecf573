//! What becomes of a message whose handling failed.
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use super::HandleError;

/// Deliveries after which a message that always fails is parked.
const ATTEMPTS: u32 = 8;
/// Crashes after which a message is parked: one in its batch, one alone in its queue, and one when
/// nothing else was tried in the whole process. Only the last one proves that it is the message.
pub(super) const CRASHES: u32 = 3;
/// Longest reason in characters.
const REASON: usize = 1000;

#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// Back to the queue, and a pause for everything.
    Release,
    Retry(Duration),
    Park(String),
}

/// `attempt`: 1 for the first delivery.
pub(super) fn of(error: &HandleError, attempt: u32) -> Outcome {
    match error {
        HandleError::Later(_) => Outcome::Release,
        // a service's own error may wrap what the database said
        HandleError::Failed(cause) if cause.chain().any(is_passing) => Outcome::Release,
        HandleError::Failed(cause) if attempt >= ATTEMPTS => Outcome::Park(shortened(cause)),
        HandleError::Failed(_) => Outcome::Retry(match attempt {
            0 | 1 => Duration::from_secs(1),
            2 => Duration::from_secs(10),
            _ => Duration::from_secs(60),
        }),
        HandleError::Poisoned(reason) => Outcome::Park(reason.chars().take(REASON).collect()),
    }
}

/// A message whose last start has no end may have killed the process, or been beside the one that
/// did: it is tried without any company from now on.
pub(super) fn is_suspect(starts: u32) -> bool {
    starts > 0
}

/// The message has killed the process while it was tried without company: the second of `starts`
/// without an end, seen at delivery `attempt`.
pub(super) fn kills(starts: u32, attempt: u32) -> bool {
    starts + 1 >= CRASHES && attempt > CRASHES
}

fn shortened(error: &anyhow::Error) -> String {
    format!("{error:#}").chars().take(REASON).collect()
}

fn is_passing(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<DbErr>().is_some_and(passes)
}

/// Whether the same statement may succeed later: the database is away, busy or full.
pub(super) fn passes(error: &DbErr) -> bool {
    let runtime = match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        DbErr::Exec(runtime) | DbErr::Query(runtime) => runtime,
        _ => return false,
    };
    let RuntimeErr::SqlxError(error) = runtime else { return false };
    match &**error {
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => true,
        SqlxError::Database(error) => error.code().is_some_and(|code| is_passing_code(&code)),
        _ => false,
    }
}

/// PostgreSQL's five characters (connection, resources, operator, rollback, read-only), SQLite's
/// (extended) numbers (busy, locked, I/O, full, cannot open).
fn is_passing_code(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "57", "40", "58"].iter().any(|class| code.starts_with(class))
            || code == "25006"
            || code == "55P03";
    }
    code.parse::<u32>().is_ok_and(|code| [5, 6, 10, 13, 14].contains(&(code & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> HandleError {
        HandleError::Failed(anyhow::anyhow!("inner").context("outer"))
    }

    #[test]
    fn a_failure_is_tried_eight_times_with_growing_pauses() {
        let waits: Vec<_> = (1..=8).map(|attempt| of(&failed(), attempt)).collect();
        let retry = |s| Outcome::Retry(Duration::from_secs(s));
        assert_eq!(waits[..3], [retry(1), retry(10), retry(60)]);
        assert_eq!(waits[6], retry(60));
        assert_eq!(waits[7], Outcome::Park("outer: inner".to_owned()));
    }

    #[test]
    fn a_database_that_is_away_burns_no_attempt_even_inside_another_error() {
        let away = DbErr::Conn(RuntimeErr::Internal("gone".to_owned()));
        let wrapped = HandleError::Failed(anyhow::Error::new(away.clone()).context("saving"));
        assert_eq!(of(&wrapped, 8), Outcome::Release);
        assert!(matches!(HandleError::from(away), HandleError::Later(_)));
        let broken = DbErr::Custom("rule".to_owned());
        assert!(matches!(HandleError::from(broken), HandleError::Failed(_)));
    }

    #[test]
    fn busy_and_lost_databases_pass_and_broken_constraints_do_not() {
        for code in ["08006", "57P01", "53300", "40001", "40P01", "25006", "5", "517", "13"] {
            assert!(is_passing_code(code), "{code}");
        }
        for code in ["23505", "42P01", "22001", "1", "19", "2067", "1555"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }

    #[test]
    fn one_start_without_an_end_is_a_suspicion() {
        assert!(!is_suspect(0) && is_suspect(1));
    }

    #[test]
    fn three_crashes_condemn_and_two_do_not() {
        assert!(!kills(0, 2) && !kills(1, 3) && kills(2, 4));
        assert!(!kills(2, 1), "a replayed message begins anew");
    }
}
