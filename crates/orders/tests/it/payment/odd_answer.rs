//! What answers like no Stripe (`docs/security.md`, S59): no order is paid by it, and none is lost.
use serde_json::json;
use souk_proto::orders::v1::place_order_response::Outcome;
use souk_testkit::odd::Odd;
use souk_testkit::stripe::FakeStripe;

use super::desk::{Desk, Person, eventually};
use super::webhook::{self, with_stripe};

/// Answers come when they are known, or soon.
fn settings(fake: &FakeStripe) -> Vec<(String, String)> {
    let mut settings = webhook::settings(fake);
    settings.push(("orders.wait_ms".to_owned(), "1000".to_owned()));
    // it would find the truth in the provider's list
    settings.push(("payments.reconcile_s".to_owned(), "86400".to_owned()));
    settings
}

with_stripe! {
    s59_no_order_is_paid_by_an_answer_that_is_none
    s59_no_order_is_captured_by_an_answer_that_is_none
    s59_a_success_about_something_else_is_for_a_person_to_look_at
    s59_a_capture_of_another_amount_is_for_a_person_to_look_at
}

fn nonsense() -> Vec<Odd> {
    let html = "<html>Please log in to the guest network</html>".to_owned();
    vec![
        Odd::json("{}"),
        Odd::json(r#"{ "id": "pi_1", "status": "succeeded" }"#),
        Odd::Says(200, "text/html", html.clone()),
        Odd::Says(404, "text/html", html),
        Odd::Leads("http://127.0.0.1:1/".to_owned()),
        Odd::Endless(200, std::sync::Arc::default()),
    ]
}

/// Requests so far whose path ends like this.
fn asked(fake: &FakeStripe, path: &str) -> usize {
    fake.seen().iter().filter(|seen| seen.path.ends_with(path)).count()
}

/// Buys while all answers to such requests are odd: undecided, and in the end paid for once.
async fn comes_through(desk: &Desk, fake: &FakeStripe, path: &'static str) {
    let ada = desk.person(&[]);
    for odd in nonsense() {
        let before = fake.intents().len();
        let asked_before = asked(fake, path);
        fake.answer_oddly(path, odd.clone());
        let placed = desk.buy_with(&ada, "pm_card_visa".to_owned()).await;
        assert_eq!(placed.outcome(), Outcome::InProgress, "{odd:?}");
        let id = placed.order.unwrap().id;
        // at once three times, and once more later
        let again = || async { (asked(fake, path) > asked_before + 3).then_some(()) };
        eventually("it was asked again", again).await;
        let order = desk.order(&ada, &id).await;
        let payment = order.payment.unwrap();
        assert_eq!(order.status, "processing", "{odd:?}");
        assert_eq!(payment.captured_minor, 0, "{odd:?}");
        assert_ne!(payment.state, "captured", "{odd:?}");
        fake.obey();
        let paid = desk.becomes(&ada, &id, "confirmed").await;
        assert_eq!(paid.payment.unwrap().captured_minor, paid.quote.unwrap().total_minor);
        assert_eq!(fake.intents().len(), before + 1, "one charge: {odd:?}");
    }
}

async fn s59_no_order_is_paid_by_an_answer_that_is_none(desk: &Desk, fake: &FakeStripe) {
    comes_through(desk, fake, "/v1/payment_intents").await;
}

async fn s59_no_order_is_captured_by_an_answer_that_is_none(desk: &Desk, fake: &FakeStripe) {
    comes_through(desk, fake, "/capture").await;
}

/// So many orders are not paid, this one, too, and somebody is to look at them.
async fn need_review(desk: &Desk, ada: &Person, id: &str, why: &str, orders: usize) {
    eventually(why, || async {
        let rows = desk.rows("SELECT review_reason FROM orders WHERE needs_review").await;
        let all = rows.iter().all(|row| row["review_reason"] == why);
        (all && rows.len() == orders).then_some(())
    })
    .await;
    let order = desk.order(ada, id).await;
    assert_eq!(order.status, "processing");
    assert_eq!(desk.rows("SELECT id FROM orders WHERE confirmed_at IS NOT NULL").await.len(), 0);
}

async fn s59_a_success_about_something_else_is_for_a_person_to_look_at(
    desk: &Desk,
    fake: &FakeStripe,
) {
    let ada = desk.person(&[]);
    for (before, field) in ["amount", "currency", "order"].into_iter().enumerate() {
        fake.lie("/v1/payment_intents", move |said| match field {
            "amount" => said["amount"] = json!(1),
            "currency" => said["currency"] = json!("usd"),
            _ => said["metadata"]["order_id"] = json!(souk_values::OrderId::new().to_string()),
        });
        let placed = desk.buy_with(&ada, "pm_card_visa".to_owned()).await;
        assert_eq!(placed.outcome(), Outcome::InProgress, "{field}");
        let id = placed.order.unwrap().id;
        need_review(desk, &ada, &id, "payment_differs", before + 1).await;
        let payment = desk.order(&ada, &id).await.payment.unwrap();
        assert_eq!((payment.state.as_str(), payment.captured_minor), ("pending", 0), "{field}");
    }
    assert_eq!(asked(fake, "/capture"), 0, "no money was taken");
}

async fn s59_a_capture_of_another_amount_is_for_a_person_to_look_at(
    desk: &Desk,
    fake: &FakeStripe,
) {
    let ada = desk.person(&[]);
    fake.lie("/capture", |said| said["latest_charge"]["amount_captured"] = json!(1));
    let placed = desk.buy_with(&ada, "pm_card_visa".to_owned()).await;
    assert_eq!(placed.outcome(), Outcome::InProgress);
    need_review(desk, &ada, &placed.order.unwrap().id, "amount_differs", 1).await;
}
