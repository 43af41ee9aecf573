//! Sessions that ended: events tell of them, and accounts is asked twice a second, so that whatever
//! happens to the bus, to the relay of accounts or to our queue, a second later nobody comes in with a
//! token of theirs. While accounts cannot be asked, what needs power or moves money is refused.
//! How old that knowledge is goes by a clock that nobody sets: a leap of the time of day neither
//! closes the till nor keeps it open.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use souk_auth::Verifier;
use souk_proto::accounts::v1::{ListEndedSessionsRequest, ListEndedSessionsResponse};
use souk_rpc::{Failure, Kind};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};

use crate::http::csrf;
use crate::http::problem::Problem;

/// Half of what is promised: the answer and a look that has just begun fit into the rest.
const EVERY: Duration = Duration::from_millis(500);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a request waits for the first list: a gateway that has just started knows nothing.
const FIRST: Duration = Duration::from_secs(5);
/// So long after the last list power and money are trusted.
const TRUSTED: Duration = Duration::from_secs(30);
/// No list yet.
const NEVER: u64 = u64::MAX;

/// How much this process knows of what ended.
pub(crate) struct Revocations {
    began: Instant,
    verifier: Arc<Verifier>,
    /// When the newest list was asked for, in microseconds since `began`.
    known_us: AtomicU64,
    first: Notify,
}

impl Revocations {
    pub(crate) fn new(verifier: Arc<Verifier>) -> Self {
        let (began, known_us) = (Instant::now(), AtomicU64::new(NEVER));
        Self { began, verifier, known_us, first: Notify::new() }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(NEVER)
    }

    /// Asks until `stop`.
    pub(crate) async fn keep<F>(
        &self,
        mut ask: impl FnMut(ListEndedSessionsRequest) -> F,
        stop: CancellationToken,
    ) where
        F: Future<Output = Result<Response<ListEndedSessionsResponse>, Status>>,
    {
        let mut cursor = String::new();
        let mut trusted = true;
        loop {
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(&mut cursor, &mut ask) => looked,
            };
            if let Err(status) = &looked {
                tracing::debug!(error = status.message(), "ended sessions not read");
            }
            if trusted != self.is_trusted() {
                trusted = !trusted;
                if trusted {
                    tracing::info!("ended sessions are known again");
                } else {
                    tracing::warn!("ended sessions are not known: power and money are refused");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(EVERY) => {}
            }
        }
    }

    /// Reads all that ended since the last look.
    async fn look<F>(
        &self,
        cursor: &mut String,
        ask: &mut impl FnMut(ListEndedSessionsRequest) -> F,
    ) -> Result<(), Status>
    where
        F: Future<Output = Result<Response<ListEndedSessionsResponse>, Status>>,
    {
        // what ends from now on is for the next look
        let asked_us = self.now_us();
        loop {
            let asked = ask(ListEndedSessionsRequest { cursor: cursor.clone() });
            let answer = timeout(PATIENCE, asked).await;
            let answer = answer.map_err(|_| Status::deadline_exceeded("no answer in time"))?;
            let list = match answer {
                Ok(list) => list.into_inner(),
                Err(status) => {
                    if status.code() == Code::InvalidArgument {
                        // not of this accounts: from the beginning
                        cursor.clear();
                    }
                    return Err(status);
                }
            };
            let ids = list.session_ids.iter().filter_map(|id| id.parse().ok());
            self.verifier.revoke_sessions(ids);
            *cursor = list.next_cursor;
            if !list.more {
                break;
            }
        }
        self.known_us.store(asked_us, Ordering::SeqCst);
        self.first.notify_waiters();
        Ok(())
    }

    /// Whether there was any list: before the first one no token says anything.
    pub(crate) fn is_known(&self) -> bool {
        self.known_us.load(Ordering::SeqCst) != NEVER
    }

    /// Whether what is known is new enough for power and money.
    pub(crate) fn is_trusted(&self) -> bool {
        let known_us = self.known_us.load(Ordering::SeqCst);
        let age_us = self.now_us().saturating_sub(known_us);
        known_us != NEVER && Duration::from_micros(age_us) < TRUSTED
    }

    /// Waits for the first list, for a while.
    pub(crate) async fn known(&self) -> Result<(), Problem> {
        if self.is_known() {
            return Ok(());
        }
        let first = async {
            let told = self.first.notified();
            // it may have come before we listened
            if !self.is_known() {
                told.await;
            }
        };
        timeout(FIRST, first).await.map_err(|_| unconfirmed())
    }
}

/// 503: nobody can tell whether the session goes on.
pub(crate) fn unconfirmed() -> Problem {
    let sentence = "whether your session goes on cannot be checked at the moment";
    Failure::new(Kind::Unavailable, "session_unconfirmed", sentence).into()
}

/// Whether a request moves money, or changes what does.
pub(crate) fn moves_money(method: &Method, path: &str) -> bool {
    let below = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !csrf::is_safe(method) && ["/api/orders", "/api/payment-methods"].into_iter().any(below)
}

#[cfg(test)]
mod tests;
