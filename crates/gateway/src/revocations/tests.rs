//! What a gateway believes when nobody tells it anything.
use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use chrono::{DateTime, TimeDelta};
use futures::FutureExt;
use souk_auth::{AccessClaims, SigningKey};
use souk_values::{Clock, SessionId, UserId};
use tokio::time::advance;
use uuid::Uuid;

use super::*;

const NOW: i64 = 1_800_000_000;
/// As fine as tokio's time goes.
const TICK: Duration = Duration::from_millis(1);

type Answered = Result<Response<ListEndedSessionsResponse>, Status>;

/// An accounts that answers what it is told to, and notes what it was asked.
#[derive(Default)]
struct Accounts {
    answers: Mutex<VecDeque<Answered>>,
    cursors: Mutex<Vec<String>>,
}

impl Accounts {
    fn answers(&self, ids: &[SessionId], next_cursor: &str, more: bool) -> &Self {
        let session_ids = ids.iter().map(ToString::to_string).collect();
        let next_cursor = next_cursor.to_owned();
        let list = ListEndedSessionsResponse { session_ids, next_cursor, more };
        self.answers.lock().unwrap().push_back(Ok(Response::new(list)));
        self
    }

    fn fails(&self, code: Code) -> &Self {
        self.answers.lock().unwrap().push_back(Err(Status::new(code, "no")));
        self
    }

    fn ask(&self, request: ListEndedSessionsRequest) -> Ready<Answered> {
        self.cursors.lock().unwrap().push(request.cursor);
        let next = self.answers.lock().unwrap().pop_front();
        ready(next.unwrap_or_else(|| Err(Status::unavailable("away"))))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.cursors.lock().unwrap())
    }
}

struct Gateway {
    /// The time of day, which somebody may set.
    clock: Clock,
    key: SigningKey,
    verifier: Arc<Verifier>,
    revocations: Arc<Revocations>,
    accounts: Accounts,
    cursor: String,
}

impl Gateway {
    fn new() -> Self {
        let key = SigningKey::from_seed(&[7; 32]);
        let jwks = serde_json::to_string(&key.jwks()).unwrap();
        let source = Arc::new(move || {
            let jwks = jwks.clone();
            async move { Ok(jwks) }.boxed()
        });
        let clock = Clock::fixed(DateTime::from_timestamp(NOW, 0).unwrap());
        let verifier = Arc::new(Verifier::new(source, clock.clone()));
        let revocations = Arc::new(Revocations::new(verifier.clone()));
        let (accounts, cursor) = (Accounts::default(), String::new());
        Self { clock, key, verifier, revocations, accounts, cursor }
    }

    async fn looks(&mut self) -> Result<(), Code> {
        let mut ask = |request| self.accounts.ask(request);
        let looked = self.revocations.look(&mut self.cursor, &mut ask).await;
        looked.map_err(|status| status.code())
    }

    async fn believes(&self, session: SessionId) -> bool {
        let token = self.key.sign(&AccessClaims {
            iss: AccessClaims::SOUK.to_owned(),
            aud: AccessClaims::SOUK.to_owned(),
            sub: UserId::new().to_string(),
            sid: session.to_string(),
            role: "customer".to_owned(),
            perms: Vec::new(),
            iat: NOW,
            nbf: NOW,
            exp: NOW + 600,
            jti: Uuid::now_v7().to_string(),
            fresh: NOW + 600,
            enrol: false,
            key: false,
        });
        self.verifier.verify(&token).await.is_ok()
    }
}

#[tokio::test]
async fn p33_what_ended_while_nobody_told_is_refused_after_one_look() {
    let mut gateway = Gateway::new();
    let [one, two, three, kept] = [(); 4].map(|()| SessionId::new());
    for session in [one, two, three, kept] {
        assert!(gateway.believes(session).await);
    }
    // in parts, one look reads them all
    gateway.accounts.answers(&[one], "b", true).answers(&[two], "c", false);
    gateway.looks().await.unwrap();
    assert_eq!(gateway.accounts.asked(), ["", "b"]);
    assert!(!gateway.believes(one).await && !gateway.believes(two).await);
    assert!(gateway.believes(three).await && gateway.believes(kept).await);
    // the next one goes on there, and may hear of some again
    gateway.accounts.answers(&[two, three], "d", false);
    gateway.looks().await.unwrap();
    assert_eq!(gateway.accounts.asked(), ["c"]);
    assert!(!gateway.believes(two).await && !gateway.believes(three).await);
    assert!(gateway.believes(kept).await);
}

#[tokio::test]
async fn a_list_that_broke_off_is_gone_on_with_and_another_accounts_is_asked_for_all() {
    let mut gateway = Gateway::new();
    let session = SessionId::new();
    gateway.accounts.answers(&[session], "b", true).fails(Code::Unavailable);
    assert_eq!(gateway.looks().await, Err(Code::Unavailable));
    assert!(!gateway.believes(session).await, "what was read counts");
    assert!(!gateway.revocations.is_known(), "and is not all");
    gateway.accounts.fails(Code::InvalidArgument);
    assert_eq!(gateway.looks().await, Err(Code::InvalidArgument));
    gateway.accounts.answers(&[], "c", false);
    gateway.looks().await.unwrap();
    assert_eq!(gateway.accounts.asked(), ["", "b", "b", ""]);
    assert!(gateway.revocations.is_known());
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_trusted_for_thirty_seconds() {
    let mut gateway = Gateway::new();
    assert!(!gateway.revocations.is_trusted(), "nothing is known");
    gateway.accounts.answers(&[], "b", false);
    gateway.looks().await.unwrap();
    advance(TRUSTED - TICK).await;
    assert!(gateway.revocations.is_trusted());
    gateway.looks().await.unwrap_err();
    advance(TICK).await;
    assert!(!gateway.revocations.is_trusted() && gateway.revocations.is_known());
    gateway.looks().await.unwrap_err();
    assert!(!gateway.revocations.is_trusted(), "an answer that did not come says nothing");
    gateway.accounts.answers(&[], "c", false);
    gateway.looks().await.unwrap();
    assert!(gateway.revocations.is_trusted());
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_as_old_as_the_question() {
    let gateway = Gateway::new();
    // an answer in parts, each of which took its time
    let part = PATIENCE - TICK;
    let mut ask = |request| {
        let answer = gateway.accounts.ask(request);
        async move {
            sleep(part).await;
            answer.await
        }
    };
    for next in ["b", "c", "d"] {
        gateway.accounts.answers(&[], next, next != "d");
    }
    gateway.revocations.look(&mut String::new(), &mut ask).await.unwrap();
    advance(TRUSTED - 3 * part - TICK).await;
    assert!(gateway.revocations.is_trusted());
    advance(TICK).await;
    assert!(!gateway.revocations.is_trusted());
}

#[tokio::test(start_paused = true)]
async fn a_leap_of_the_time_of_day_neither_ends_trust_nor_prolongs_it() {
    for leap in [TimeDelta::days(1), TimeDelta::days(-1)] {
        let mut gateway = Gateway::new();
        gateway.clock.advance(leap);
        assert!(!gateway.revocations.is_trusted(), "nothing is known");
        gateway.accounts.answers(&[], "b", false);
        gateway.looks().await.unwrap();
        gateway.clock.advance(leap);
        advance(TRUSTED - TICK).await;
        assert!(gateway.revocations.is_trusted(), "{leap}");
        advance(TICK).await;
        gateway.clock.advance(-leap);
        assert!(!gateway.revocations.is_trusted(), "{leap}");
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_list_requests_wait_and_are_refused_in_the_end() {
    let mut gateway = Gateway::new();
    let began = Instant::now();
    let refused = gateway.revocations.known().await.unwrap_err();
    assert_eq!((refused.status(), began.elapsed().as_secs()), (503, FIRST.as_secs()));
    let revocations = gateway.revocations.clone();
    let waiting = tokio::spawn(async move { revocations.known().await.is_ok() });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    gateway.accounts.answers(&[], "b", false);
    gateway.looks().await.unwrap();
    assert!(waiting.await.unwrap());
    assert_eq!(began.elapsed().as_secs(), FIRST.as_secs(), "nobody waited longer than needed");
    assert!(gateway.revocations.known().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn p33_accounts_is_asked_twice_a_second_whatever_it_answers() {
    for answers in [true, false] {
        let gateway = Gateway::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let (count, ended) = (asked.clone(), stop.clone());
        let revocations = gateway.revocations.clone();
        let keeping = tokio::spawn(async move {
            let ask = |_| {
                count.fetch_add(1, Ordering::SeqCst);
                let list = ListEndedSessionsResponse::default();
                let answer = if answers { Ok(list) } else { Err(Status::unavailable("away")) };
                ready(answer.map(Response::new))
            };
            revocations.keep(ask, ended).await;
        });
        sleep(Duration::from_millis(9_900)).await;
        assert_eq!(asked.load(Ordering::SeqCst), 20, "{answers}");
        assert_eq!(gateway.revocations.is_known(), answers);
        stop.cancel();
        keeping.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let gateway = Gateway::new();
    let began = Instant::now();
    let mut ask = |_| std::future::pending::<Answered>();
    let looked = gateway.revocations.look(&mut String::new(), &mut ask).await;
    assert_eq!(looked.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
}

#[test]
fn what_moves_money_is_known() {
    for (method, path, moves) in [
        ("POST", "/api/orders", true),
        ("POST", "/api/orders/ord_1/cancel", true),
        ("POST", "/api/orders/ord_1/payment/complete", true),
        ("POST", "/api/payment-methods", true),
        ("DELETE", "/api/payment-methods/tok_1", true),
        ("GET", "/api/orders", false),
        ("HEAD", "/api/payment-methods", false),
        ("POST", "/api/orders-of-another-kind", false),
        ("POST", "/api/cart", false),
        ("PUT", "/api/me", false),
    ] {
        assert_eq!(moves_money(&method.parse().unwrap(), path), moves, "{method} {path}");
    }
}
