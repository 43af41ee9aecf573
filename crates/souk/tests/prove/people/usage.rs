//! A token that is used without a break at every door while somebody takes it away.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::process::until;

/// Between two uses at one door.
const EVERY: Duration = Duration::from_millis(50);
/// Uses at each door before and after.
const SURE: u64 = 4;
/// However slow: the table says what it was.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a token is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// Looks into the cart, of which only orders knows: accounts is not asked.
    Cart,
    /// Makes a coupon, each time another one.
    Coupon,
}

/// What became of a token.
#[derive(Debug)]
pub(crate) struct Fate {
    /// From the answer to whoever took it away to the last success at any door.
    pub(crate) late: Duration,
    /// Successes in all, and those after that answer.
    pub(crate) accepted: u64,
    pub(crate) accepted_late: u64,
    /// Successes after a refusal at the same door.
    pub(crate) revived: u64,
    /// Answers that say neither yes nor no, with the first of them.
    pub(crate) strange: Vec<u16>,
}

struct Try {
    sent: Instant,
    answered: Instant,
    /// 0: no answer.
    status: u16,
}

#[derive(Default)]
struct Seen {
    accepted: AtomicU64,
    refused_in_a_row: AtomicU64,
}

/// Uses the token at all doors, lets `taken` happen, and goes on until it is refused everywhere.
/// `taken` answers when it was told that it is done.
pub(crate) async fn fate(
    doors: &[Client],
    token: &str,
    what: Use,
    taken: impl Future<Output = Instant>,
) -> Fate {
    let stop = CancellationToken::new();
    let mut running = Vec::new();
    for door in doors {
        let seen = Arc::new(Seen::default());
        running.push((seen.clone(), go_on(door.clone(), token.to_owned(), what, seen, &stop)));
    }
    let all = |holds: fn(&Seen) -> bool| running.iter().all(|(seen, _)| holds(seen));
    let works =
        until(PATIENCE, async || all(|seen| seen.accepted.load(Ordering::SeqCst) >= SURE)).await;
    let at = taken.await;
    let over =
        until(PATIENCE, async || all(|s| s.refused_in_a_row.load(Ordering::SeqCst) >= SURE)).await;
    stop.cancel();
    let mut fate = Fate {
        late: Duration::ZERO,
        accepted: 0,
        accepted_late: 0,
        revived: 0,
        strange: Vec::new(),
    };
    for (_, task) in running {
        fate.count(&task.await.unwrap(), at);
    }
    assert!(works, "{what:?}: the token is good for nothing: {fate:?}");
    assert!(over, "{what:?}: the token is good for ever: {fate:?}");
    fate
}

fn go_on(
    door: Client,
    token: String,
    what: Use,
    seen: Arc<Seen>,
    stop: &CancellationToken,
) -> JoinHandle<Vec<Try>> {
    let stop = stop.clone();
    tokio::spawn(async move {
        let mut tries = Vec::new();
        let mut pace = tokio::time::interval(EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return tries,
                _ = pace.tick() => {}
            }
            let sent = Instant::now();
            let status = what.at(&door, &token).await;
            let answered = Instant::now();
            if is_accepted(status) {
                seen.accepted.fetch_add(1, Ordering::SeqCst);
                seen.refused_in_a_row.store(0, Ordering::SeqCst);
            } else if is_refused(status) {
                seen.refused_in_a_row.fetch_add(1, Ordering::SeqCst);
            }
            tries.push(Try { sent, answered, status });
        }
    })
}

impl Use {
    async fn at(self, door: &Client, token: &str) -> u16 {
        let answer = match self {
            Self::Cart => door.ask(Some(token), "GET", "/api/cart", None).await,
            Self::Coupon => {
                let code = uuid::Uuid::new_v4().simple().to_string();
                let body = json!({ "code": code, "kind": "percent", "percent": "10" });
                door.ask(Some(token), "POST", "/api/admin/coupons", Some(&body)).await
            }
        };
        answer.map_or(0, |(status, _)| status)
    }
}

fn is_accepted(status: u16) -> bool {
    (200..300).contains(&status)
}

fn is_refused(status: u16) -> bool {
    [401, 403].contains(&status)
}

impl Fate {
    /// The uses at one door, in their order.
    fn count(&mut self, tries: &[Try], at: Instant) {
        let mut refused: Option<Instant> = None;
        for one in tries {
            if is_refused(one.status) {
                refused = refused.or(Some(one.answered));
            } else if is_accepted(one.status) {
                self.accepted += 1;
                // what was under way when the other answer came is not late for that
                let late = one.answered.saturating_duration_since(at);
                self.accepted_late += u64::from(one.sent > at);
                self.late = self.late.max(if one.sent > at { late } else { Duration::ZERO });
                self.revived += u64::from(refused.is_some_and(|refused| one.sent > refused));
            } else {
                self.strange.push(one.status);
            }
        }
    }
}
