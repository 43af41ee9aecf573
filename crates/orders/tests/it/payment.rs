//! Payments as buyers, staff and providers see them.
mod desk;
mod odd_answer;
mod reconciler;
mod webhook;

use std::path::Path;

use souk_proto::orders::v1::place_order_response::Outcome;
use souk_proto::orders::v1::{
    CompleteActionRequest, CreatePaymentMethodRequest, DeletePaymentMethodRequest,
    ListPaymentMethodsRequest,
};
use souk_rpc::{Failure, Kind};

use self::desk::{Desk, answer_as, eventually};

/// Runs each test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($settings:expr; $($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let desk = crate::payment::desk::Desk::sqlite($settings).await;
                Box::pin(super::$test(&desk)).await;
                desk.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let desk = crate::payment::desk::Desk::postgres($settings).await;
                Box::pin(super::$test(&desk)).await;
                desk.close().await;
            })*
        }
    };
}
use on_both;

on_both! { &[];
    a_card_is_checked_and_all_that_is_wrong_is_named
    cards_belong_to_one_person
    a_card_is_kept_once_for_its_key
    each_documented_number_does_what_it_says
    a_second_step_is_the_buyers
    foreign_and_unknown_tokens_do_not_pay
}

/// One charge for the order, in our books and in the provider's.
async fn paid_once(desk: &Desk, order_id: &str) {
    let theirs = desk
        .rows(&format!("SELECT state, amount, captured, refunded FROM test_payment WHERE order_id = '{order_id}'"))
        .await;
    assert_eq!(theirs.len(), 1, "{theirs:?}");
    assert_eq!(theirs[0]["state"], "captured");
    assert_eq!(theirs[0]["captured"], theirs[0]["amount"]);
    assert_eq!(theirs[0]["refunded"], 0);
}

async fn a_card_is_checked_and_all_that_is_wrong_is_named(desk: &Desk) {
    let ada = desk.person(&[]);
    for (number, brand, last4) in [
        ("4242 4242 4242 4242", "visa", "4242"),
        ("5555-5555-5555-4444", "mastercard", "4444"),
        ("378282246310005", "amex", "0005"),
    ] {
        let card = desk.card(&ada, number).await.unwrap();
        assert!(card.token.starts_with("pm_") && card.token.len() > 20, "{}", card.token);
        assert_eq!((card.brand.as_str(), card.last4.as_str()), (brand, last4));
        assert_eq!((card.exp_month, card.exp_year), (12, 2040));
    }
    let create = |number: &str, exp_month, exp_year, cvc: &str| {
        let (number, cvc) = (number.to_owned(), cvc.to_owned());
        let request = CreatePaymentMethodRequest {
            number,
            exp_month,
            exp_year,
            cvc,
            idempotency_key: String::new(),
        };
        let mut payments = desk.payments();
        let ada = &ada;
        async move {
            let failure =
                answer_as(ada, payments.create_payment_method(request)).await.unwrap_err();
            assert_eq!(failure.kind, Kind::Invalid);
            let told = format!("{failure:?}");
            assert!(!told.contains("42424242"), "{told}");
            failure.violations.into_iter().map(|v| v.field).collect::<Vec<_>>()
        }
    };
    let all = ["number", "exp_month", "cvc"];
    assert_eq!(create("4242424242424241", 13, 2040, "12").await, all);
    assert_eq!(create("4242424242424242", 1, 2020, "123").await, ["exp_year"]);
    assert_eq!(create("4242424242424242", 1, 20, "123").await, ["exp_year"]);
    assert_eq!(create("4242424242424242", 1, 2999, "123").await, ["exp_year"]);
    assert_eq!(create("4242424242424242", 1, u32::MAX, "123").await, ["exp_year"]);
    assert_eq!(create("378282246310005", 1, 2040, "123").await, ["cvc"]);
    assert_eq!(create("", 0, 0, "").await, ["number", "exp_month", "cvc"]);
    assert_eq!(create(&"4".repeat(100_000), 1, 2040, "1a3").await, ["number", "cvc"]);
    no_digits_in(desk.dir.path());
}

/// No file of the shop holds the digits of a card.
fn no_digits_in(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_digits_in(&path);
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for digits in ["42424242", "55555555", "3782822463"] {
            let found = bytes.windows(digits.len()).any(|window| window == digits.as_bytes());
            assert!(!found, "{digits} in {}", path.display());
        }
    }
}

async fn cards_belong_to_one_person(desk: &Desk) {
    let (ada, bob) = (desk.person(&[]), desk.person(&["orders.read", "orders.write"]));
    let first = desk.card(&ada, "4242424242424242").await.unwrap();
    let second = desk.card(&ada, "5555555555554444").await.unwrap();
    let list = |person| async move {
        let mut payments = desk.payments();
        let found = answer_as(person, payments.list_payment_methods(ListPaymentMethodsRequest {}));
        found.await.unwrap().items
    };
    assert_eq!(list(&ada).await, [second.clone(), first.clone()]);
    assert_eq!(list(&bob).await, []);
    let delete = |person, token: &str| {
        let request = DeletePaymentMethodRequest { token: token.to_owned() };
        async move { answer_as(person, desk.payments().delete_payment_method(request)).await }
    };
    let missing = |answer: Result<_, Failure>| {
        let failure = answer.unwrap_err();
        assert_eq!(
            (failure.kind, failure.reason.as_str()),
            (Kind::NotFound, "payment_method_not_found")
        );
    };
    missing(delete(&bob, &first.token).await);
    assert_eq!(delete(&ada, &first.token).await, Ok(first.clone()));
    missing(delete(&ada, &first.token).await);
    missing(delete(&ada, "").await);
    assert_eq!(list(&ada).await, [second]);
}

async fn a_card_is_kept_once_for_its_key(desk: &Desk) {
    let (ada, bob) = (desk.person(&[]), desk.person(&[]));
    let (visa, mastercard) = ("4242424242424242", "5555555555554444");
    let at_once = futures::future::join_all((0..20).map(|_| desk.card_once(&ada, visa, "k"))).await;
    let mut answers: Vec<_> = at_once.into_iter().map(Result::unwrap).collect();
    // written in another way, the same card
    answers.push(desk.card_once(&ada, "4242 4242 4242 4242", "k").await.unwrap());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(desk.rows("SELECT token FROM test_card").await.len(), 1);
    let other = desk.card_once(&ada, mastercard, "k").await.unwrap_err();
    assert_eq!((other.kind, other.reason.as_str()), (Kind::Invalid, "idempotency_key_reused"));
    // a key is of one person, and of one thing
    assert_ne!(desk.card_once(&bob, visa, "k").await.unwrap().token, answers[0].token);
    assert_ne!(desk.card_once(&ada, visa, "other").await.unwrap().token, answers[0].token);
    // what was refused has used up no key
    assert_eq!(
        desk.card_once(&ada, "4242424242424241", "n").await.unwrap_err().kind,
        Kind::Invalid
    );
    desk.card_once(&ada, mastercard, "n").await.unwrap();
    assert_eq!(desk.rows("SELECT token FROM test_card").await.len(), 4);
    // and what was answered again pays
    let order = desk.buy_with(&ada, answers[0].token.clone()).await;
    assert_eq!(order.outcome(), Outcome::Confirmed);
    no_digits_in(desk.dir.path());
}

async fn each_documented_number_does_what_it_says(desk: &Desk) {
    let ada = desk.person(&[]);
    for number in ["", "4242424242424242", "5555555555554444", "4000000000007049"] {
        let placed = desk.buy(&ada, number).await;
        assert_eq!(placed.outcome(), Outcome::Confirmed, "{number}: {placed:?}");
        paid_once(desk, &placed.order.unwrap().id).await;
    }
    for (number, code) in [
        ("4000000000000002", "card_declined"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000000069", "expired_card"),
    ] {
        let placed = desk.buy(&ada, number).await;
        assert_eq!(placed.outcome(), Outcome::Declined, "{number}: {placed:?}");
        let order = placed.order.unwrap();
        let payment = desk.order(&ada, &order.id).await.payment.unwrap();
        assert_eq!((payment.state.as_str(), payment.decline_code.as_str()), ("declined", code));
        assert_eq!(payment.captured_minor, 0);
    }
    // answers get lost, or a 5xx comes: one charge all the same
    for number in ["4000000000007007", "4000000000007015", "4000000000007031"] {
        let placed = desk.buy(&ada, number).await;
        let order = placed.order.clone().unwrap();
        desk.becomes(&ada, &order.id, "confirmed").await;
        paid_once(desk, &order.id).await;
    }
    assert_eq!(desk.differences().await, []);
}

async fn a_second_step_is_the_buyers(desk: &Desk) {
    let (ada, bob) = (desk.person(&[]), desk.person(&[]));
    let complete = |person, order_id: &str, approve| {
        let request = CompleteActionRequest { order_id: order_id.to_owned(), approve };
        async move { answer_as(person, desk.payments().complete_action(request)).await }
    };
    let placed = desk.buy(&ada, "4000002500003155").await;
    assert_eq!(placed.outcome(), Outcome::InProgress, "{placed:?}");
    let order = placed.order.unwrap().id;
    assert!(placed.next_action.unwrap().url.contains(&order));
    let foreign = complete(&bob, &order, true).await.unwrap_err();
    assert_eq!((foreign.kind, foreign.reason.as_str()), (Kind::NotFound, "order_not_found"));
    assert_eq!(complete(&ada, "ord_x", true).await.unwrap_err().kind, Kind::NotFound);
    complete(&ada, &order, true).await.unwrap();
    desk.becomes(&ada, &order, "confirmed").await;
    paid_once(desk, &order).await;
    assert!(complete(&ada, &order, true).await.is_ok(), "clicked twice");
    let turned = complete(&ada, &order, false).await.unwrap_err();
    assert_eq!((turned.kind, turned.reason.as_str()), (Kind::Conflict, "no_second_step"));

    let order = desk.buy(&ada, "4000002500003155").await.order.unwrap().id;
    assert_eq!(complete(&ada, &order, false).await.unwrap().payment_state, "declined");
    let failed = desk.becomes(&ada, &order, "payment_failed").await;
    assert_eq!(failed.payment.unwrap().captured_minor, 0);
    // its webhooks came through the door and were worked on
    eventually("an empty inbox", || async {
        let waiting =
            desk.rows("SELECT event_id FROM webhook_inbox WHERE due_at IS NOT NULL").await;
        let sent = desk.rows("SELECT event_id FROM test_webhook").await;
        let kept = desk.rows("SELECT event_id FROM webhook_inbox").await;
        (waiting.is_empty() && sent.is_empty() && kept.len() >= 2).then_some(())
    })
    .await;
}

async fn foreign_and_unknown_tokens_do_not_pay(desk: &Desk) {
    let (ada, bob) = (desk.person(&[]), desk.person(&[]));
    let token = desk.card(&bob, "4242424242424242").await.unwrap().token;
    for token in [token, "pm_unknown".to_owned()] {
        let before = desk.rows("SELECT id FROM orders").await.len();
        let refused = desk.try_to_buy_with(&ada, token).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
        let fields: Vec<_> = refused.violations.into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["payment_method"]);
        assert_eq!(desk.rows("SELECT id FROM orders").await.len(), before, "no order was made");
    }
}
