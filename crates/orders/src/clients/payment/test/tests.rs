//! The test provider by itself, on both databases.
use std::path::Path;

use sea_orm::ConnectionTrait;
use souk_storage::DatabaseSettings;
use souk_values::{Currency, Money, OrderId, UserId};

use super::*;
use crate::domain::payment::State;
use crate::domain::payment::book::Behaviour;
use crate::domain::payment::number::CardNumber;

/// A provider in a database of its own.
struct Desk {
    test: TestProvider,
    db: Database,
    clock: Clock,
    user: String,
    dir: tempfile::TempDir,
    server: Option<(String, String)>,
}

async fn open(settings: &DatabaseSettings, dir: &Path) -> Database {
    let db = Database::open(settings, dir, "orders").await.unwrap();
    souk_storage::migrate(&db, &[crate::store::migrations::all]).await.unwrap();
    db
}

impl Desk {
    async fn file() -> Self {
        Self::new(DatabaseSettings::default(), None).await
    }

    async fn server() -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let name = format!("payments_{}", Uuid::now_v7().simple());
        let server = sea_orm::Database::connect(&url).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        let (base, _) = url.rsplit_once('/').unwrap();
        let own = DatabaseSettings { url: format!("{base}/{name}"), ..Default::default() };
        Self::new(own, Some((url, name))).await
    }

    async fn new(settings: DatabaseSettings, server: Option<(String, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&settings, dir.path()).await;
        let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let timeout = Duration::from_secs(5);
        let test = TestProvider::new(db.clone(), clock.clone(), true, timeout);
        Self { test, db, clock, user: UserId::new().to_string(), dir, server }
    }

    async fn close(self) {
        drop(self.test);
        self.db.close().await.unwrap();
        if let Some((url, name)) = self.server {
            let server = sea_orm::Database::connect(url).await.unwrap();
            server.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            server.close().await.unwrap();
        }
    }

    /// The token of a card with this number.
    async fn card(&self, number: &str) -> String {
        let number = CardNumber::parse(number).unwrap();
        let card = Card {
            token: format!("pm_{}", Uuid::new_v4().simple()),
            user_id: self.user.clone(),
            brand: number.brand().to_owned(),
            last4: number.last4().to_owned(),
            exp_month: 12,
            exp_year: 2040,
            behaviour: Behaviour::of(&number),
            created_at: self.clock.now(),
        };
        let tx = self.test.inner.db.begin().await.unwrap();
        assert!(TestProvider::keep_card(&tx, &card).await.unwrap());
        tx.commit().await.unwrap();
        card.token
    }

    fn ask(&self, method: &str) -> Authorise {
        let order_id = OrderId::new().to_string();
        Authorise {
            key: format!("order:{order_id}:auth:1"),
            order_id,
            user_id: self.user.clone(),
            method: method.to_owned(),
            amount: Money::new(5000, Currency::EUR),
        }
    }

    async fn paying(&self, number: &str) -> Authorise {
        self.ask(&self.card(number).await)
    }

    async fn count(&self) -> usize {
        let since = DateTime::from_timestamp(0, 0).unwrap();
        self.test.list(since, None).await.unwrap().len()
    }
}

macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let desk = super::Desk::file().await;
                super::$test(&desk).await;
                desk.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let desk = super::Desk::server().await;
                super::$test(&desk).await;
                desk.close().await;
            })*
        }
    };
}

on_both! {
    a_payment_is_held_taken_and_given_back
    the_same_key_has_the_same_answer
    documented_numbers_decline
    a_charge_whose_answer_is_lost_happened_once
    a_failing_card_charges_nothing_until_it_works
    the_buyer_approves_or_refuses
    its_webhook_can_come_before_the_answer
    tokens_are_for_their_owners
    many_calls_share_a_commit_and_none_is_lost
    wrong_steps_are_refused_and_change_nothing
    payments_are_listed_by_age
}

fn refusal(answer: Result<ProviderPayment, ProviderError>) -> String {
    match answer.unwrap_err() {
        ProviderError::Refused { code } => code,
        ProviderError::Unknown(why) => panic!("unknown: {why}"),
    }
}

fn is_unknown(answer: &Result<ProviderPayment, ProviderError>) -> bool {
    matches!(answer, Err(ProviderError::Unknown(_)))
}

async fn a_payment_is_held_taken_and_given_back(desk: &Desk) {
    for number in ["4242424242424242", "5555555555554444"] {
        let ask = desk.paying(number).await;
        let held = desk.test.authorise(&ask).await.unwrap();
        assert_eq!((held.state, held.captured), (State::Authorised, 0));
        assert_eq!(held.last4, number[12..]);
        let taken = desk.test.capture(&held.reference, "c").await;
        // the key belongs to the first of the two payments
        if number.starts_with('5') {
            assert_eq!(refusal(taken), "idempotency_key_reused");
            continue;
        }
        assert_eq!(taken.unwrap().captured, 5000);
        let part = desk.test.refund(&held.reference, 2000, "r1").await.unwrap();
        assert_eq!((part.state, part.refunded), (State::Captured, 2000));
        let rest = desk.test.refund(&held.reference, 3000, "r2").await.unwrap();
        assert_eq!(rest.refunded, 5000);
        assert_eq!(desk.test.find(&held.reference).await.unwrap(), Some(rest));
    }
    let held = desk.test.authorise(&desk.ask("")).await.unwrap();
    assert_eq!((held.brand.as_str(), held.last4.as_str()), ("visa", "4242"), "the built-in card");
    assert_eq!(desk.test.void(&held.reference, "v").await.unwrap().state, State::Voided);
    assert_eq!(desk.test.void(&held.reference, "v2").await.unwrap().state, State::Voided);
}

async fn the_same_key_has_the_same_answer(desk: &Desk) {
    let ask = desk.ask("");
    let all = futures::future::join_all((0..20).map(|_| desk.test.authorise(&ask))).await;
    let first = all[0].as_ref().unwrap().clone();
    assert!(all.iter().all(|answer| answer.as_ref().unwrap() == &first));
    desk.test.capture(&first.reference, "c").await.unwrap();
    assert_eq!(desk.test.authorise(&ask).await.unwrap(), first, "also after it went on");
    let refunds = (0..10).map(|_| desk.test.refund(&first.reference, 100, "r"));
    for refund in futures::future::join_all(refunds).await {
        assert_eq!(refund.unwrap().refunded, 100);
    }
    assert_eq!(desk.count().await, 1);
    let dearer = Authorise { amount: Money::new(5001, Currency::EUR), ..ask };
    assert_eq!(refusal(desk.test.authorise(&dearer).await), "idempotency_key_reused");
    let more = desk.test.refund(&first.reference, 101, "r").await;
    assert_eq!(refusal(more), "idempotency_key_reused");
}

async fn documented_numbers_decline(desk: &Desk) {
    for (number, code) in [
        ("4000000000000002", "card_declined"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000000069", "expired_card"),
    ] {
        let ask = desk.paying(number).await;
        let declined = desk.test.authorise(&ask).await.unwrap();
        assert_eq!((declined.state, declined.decline_code.as_str()), (State::Declined, code));
        let capture = desk.test.capture(&declined.reference, code).await;
        assert_eq!(refusal(capture), "payment_not_authorised");
        let void = desk.test.void(&declined.reference, &format!("v{code}")).await.unwrap();
        assert_eq!(void.state, State::Declined, "nothing is held");
    }
}

async fn a_charge_whose_answer_is_lost_happened_once(desk: &Desk) {
    let ask = desk.paying("4000000000007007").await;
    assert!(is_unknown(&desk.test.authorise(&ask).await));
    assert_eq!(desk.count().await, 1, "it happened");
    assert_eq!(desk.test.due(10).await.unwrap().len(), 1, "and its webhook tells");
    let held = desk.test.authorise(&ask).await.unwrap();
    assert_eq!(held.state, State::Authorised);
    assert_eq!(desk.test.capture(&held.reference, "c1").await.unwrap().captured, 5000);

    let ask = desk.paying("4000000000007015").await;
    let held = desk.test.authorise(&ask).await.unwrap();
    assert!(is_unknown(&desk.test.capture(&held.reference, "c2").await));
    let fact = desk.test.find(&held.reference).await.unwrap().unwrap();
    assert_eq!((fact.state, fact.captured), (State::Captured, 5000));
    assert_eq!(desk.test.capture(&held.reference, "c2").await.unwrap(), fact);
    assert_eq!((desk.count().await, desk.test.due(10).await.unwrap().len()), (2, 2));
}

async fn a_failing_card_charges_nothing_until_it_works(desk: &Desk) {
    let ask = desk.paying("4000000000007023").await;
    for _ in 0..3 {
        assert!(is_unknown(&desk.test.authorise(&ask).await));
    }
    assert_eq!(desk.count().await, 0);
    let ask = desk.paying("4000000000007031").await;
    assert!(is_unknown(&desk.test.authorise(&ask).await));
    assert_eq!(desk.count().await, 0);
    let held = desk.test.authorise(&ask).await.unwrap();
    assert_eq!(desk.test.authorise(&ask).await.unwrap(), held);
    assert!(is_unknown(&desk.test.capture(&held.reference, "c").await));
    assert_eq!(desk.test.capture(&held.reference, "c").await.unwrap().captured, 5000);
    assert_eq!(desk.test.capture(&held.reference, "c").await.unwrap().captured, 5000);
    assert_eq!(desk.count().await, 1);
}

async fn the_buyer_approves_or_refuses(desk: &Desk) {
    let token = desk.card("4000002500003155").await;
    for (approve, state) in [(true, State::Authorised), (false, State::Declined)] {
        let ask = desk.ask(&token);
        let waiting = desk.test.authorise(&ask).await.unwrap();
        assert_eq!(waiting.state, State::RequiresAction);
        assert!(waiting.action_url.contains(&ask.order_id), "{}", waiting.action_url);
        let reference = &waiting.reference;
        let early = desk.test.capture(reference, &format!("early {approve}")).await;
        assert_eq!(refusal(early), "payment_not_authorised");
        for _ in 0..2 {
            assert_eq!(desk.test.complete(reference, approve).await.unwrap().state, state);
        }
        assert_eq!(refusal(desk.test.complete(reference, !approve).await), "no_second_step");
        let entry = desk.test.of_order(&ask.order_id).await.unwrap().unwrap();
        assert_eq!((entry.fact.state, entry.user_id), (state, desk.user.clone()));
    }
    assert!(!desk.test.due(10).await.unwrap().is_empty(), "webhooks tell");
}

async fn its_webhook_can_come_before_the_answer(desk: &Desk) {
    let ask = desk.paying("4000000000007049").await;
    let (test, asked) = (desk.test.clone(), ask.clone());
    let answer = tokio::spawn(async move { test.authorise(&asked).await });
    desk.test.rung().await;
    let due = desk.test.due(10).await.unwrap();
    let [webhook] = due.as_slice() else { panic!("{due:?}") };
    assert!(!answer.is_finished(), "the answer waits");
    let (headers, body) = desk.test.letter(webhook).unwrap();
    let now = desk.clock.now();
    let hint = desk.test.read_webhook(&headers, &body, now).unwrap();
    assert_eq!((&hint.event_id, &hint.reference), (&webhook.event_id, &webhook.reference));
    desk.test.arrived(vec![webhook.event_id.clone()]).await.unwrap();
    assert_eq!(answer.await.unwrap().unwrap().reference, hint.reference);
    assert!(desk.test.due(10).await.unwrap().is_empty());
    let old = now + chrono::TimeDelta::seconds(301);
    assert_eq!(desk.test.read_webhook(&headers, &body, old), None);
    assert_eq!(desk.test.read_webhook(&headers, b"{}", now), None);
    assert_eq!(desk.test.read_webhook(&BTreeMap::new(), &body, now), None);
    let stranger =
        TestProvider::new(desk.db.clone(), desk.clock.clone(), true, Duration::from_secs(1));
    assert_eq!(stranger.read_webhook(&headers, &body, now), None, "another secret");
}

async fn tokens_are_for_their_owners(desk: &Desk) {
    let token = desk.card("4242424242424242").await;
    let other = UserId::new().to_string();
    let foreign = Authorise { user_id: other.clone(), ..desk.ask(&token) };
    assert_eq!(refusal(desk.test.authorise(&foreign).await), "payment_method_not_found");
    assert_eq!(refusal(desk.test.authorise(&desk.ask("pm_x")).await), "payment_method_not_found");
    assert_eq!(desk.test.forget_card(&other, &token).await.unwrap(), None);
    assert_eq!(desk.test.cards(&other).await.unwrap(), []);
    assert_eq!(desk.test.cards(&desk.user).await.unwrap().len(), 1);
    // at the end of 2040 it expires
    desk.clock.advance(chrono::TimeDelta::days(366 * 14));
    let expired = desk.test.authorise(&desk.ask(&token)).await;
    assert_eq!(refusal(expired), "payment_method_not_found");
    assert!(desk.test.forget_card(&desk.user, &token).await.unwrap().is_some());
    assert_eq!(desk.test.cards(&desk.user).await.unwrap(), []);
    let strict =
        TestProvider::new(desk.db.clone(), desk.clock.clone(), false, Duration::from_secs(1));
    assert_eq!(refusal(strict.authorise(&desk.ask("")).await), "payment_method_required");
}

async fn many_calls_share_a_commit_and_none_is_lost(desk: &Desk) {
    let asks: Vec<Authorise> = (0..200).map(|_| desk.ask("")).collect();
    let held = futures::future::join_all(asks.iter().map(|ask| desk.test.authorise(ask))).await;
    let held: Vec<ProviderPayment> = held.into_iter().map(Result::unwrap).collect();
    for (ask, fact) in asks.iter().zip(&held) {
        assert_eq!(ask.order_id, fact.order_id);
    }
    let keys: Vec<String> = held.iter().map(|fact| format!("c {}", fact.reference)).collect();
    let captures =
        held.iter().zip(&keys).map(|(fact, key)| desk.test.capture(&fact.reference, key));
    // one among them that is refused disturbs nobody
    let (captured, refused) =
        futures::join!(futures::future::join_all(captures), desk.test.capture("pay_x", "cx"));
    assert!(captured.into_iter().all(|fact| fact.unwrap().captured == 5000));
    assert_eq!(refusal(refused), "payment_not_found");
}

async fn wrong_steps_are_refused_and_change_nothing(desk: &Desk) {
    let test = &desk.test;
    assert_eq!(refusal(test.void("pay_x", "1").await), "payment_not_found");
    assert_eq!(test.find("pay_x").await.unwrap(), None);
    let held = test.authorise(&desk.ask("")).await.unwrap();
    let r = held.reference.as_str();
    assert_eq!(refusal(test.refund(r, 1, "2").await), "payment_not_captured");
    assert_eq!(refusal(test.complete(r, false).await), "no_second_step");
    test.capture(r, "3").await.unwrap();
    assert_eq!(refusal(test.void(r, "4").await), "payment_captured");
    for (key, minor) in [("5", 0), ("6", -1), ("7", 5001), ("8", i64::MAX)] {
        assert_eq!(refusal(test.refund(r, minor, key).await), "refund_too_large");
    }
    let fact = test.find(r).await.unwrap().unwrap();
    assert_eq!((fact.captured, fact.refunded), (5000, 0));
    let nothing = Authorise { amount: Money::new(0, Currency::EUR), ..desk.ask("") };
    assert_eq!(refusal(test.authorise(&nothing).await), "amount_invalid");
}

async fn payments_are_listed_by_age(desk: &Desk) {
    let begin = desk.clock.now();
    let mut made = Vec::new();
    for n in 0..250 {
        made.push(desk.test.authorise(&desk.ask("")).await.unwrap().reference);
        if n % 7 == 0 {
            desk.clock.advance(chrono::TimeDelta::seconds(1));
        }
    }
    made[1..].sort();
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = desk.test.list(begin, cursor.as_deref()).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.reference.clone());
        listed.extend(page);
    }
    assert!(listed.is_sorted_by_key(|fact| fact.created_at));
    let mut all: Vec<String> = listed.into_iter().map(|fact| fact.reference).collect();
    all[1..].sort();
    assert_eq!(all, made);
    let later = begin + chrono::TimeDelta::seconds(10);
    assert!(desk.test.list(later, None).await.unwrap().len() < 250 - 60);
}

#[tokio::test]
async fn no_digits_of_a_card_reach_the_file() {
    let desk = Desk::file().await;
    for number in ["4242424242424242", "5555555555554444", "4000000000000002"] {
        let ask = desk.paying(number).await;
        desk.test.authorise(&ask).await.unwrap();
    }
    let Desk { test, db, dir, .. } = desk;
    drop(test);
    db.close().await.unwrap();
    let mut read = 0;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        read += bytes.len();
        for digits in ["424242424242", "555555555555", "400000000000"] {
            let found = bytes.windows(digits.len()).any(|window| window == digits.as_bytes());
            assert!(!found, "{digits}");
        }
    }
    assert!(read > 4096, "something was read");
}
