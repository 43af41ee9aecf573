//! What answers like no Stripe (S59): whatever it says is no fact, and never too much of it is read.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use souk_testkit::odd::Odd;

use super::*;

/// More than is ever read of one answer, and than lies in the sockets' buffers.
const FAR_TOO_MUCH: u64 = 128 * 1024 * 1024;

/// An intent that says of itself that it is paid, in full.
fn paid(ask: &Authorise) -> Value {
    json!({
        "id": "pi_forged", "object": "payment_intent", "status": "succeeded", "created": 1_700_000_000,
        "amount": ask.amount.minor, "amount_received": ask.amount.minor, "currency": "eur",
        "metadata": { "order_id": ask.order_id },
        "latest_charge": { "amount": ask.amount.minor, "amount_captured": ask.amount.minor,
            "captured": true },
    })
}

/// The same with one field as told; null: without it.
fn with(ask: &Authorise, field: &str, value: Value) -> Odd {
    let mut intent = paid(ask);
    if value.is_null() {
        intent.as_object_mut().unwrap().remove(field);
    } else {
        intent[field] = value;
    }
    Odd::json(&intent.to_string())
}

/// Answers that say nothing about a payment.
fn nonsense(ask: &Authorise) -> Vec<Odd> {
    let whole = paid(ask).to_string();
    let html = "<html>Please log in to the guest network</html>".to_owned();
    let mut all = vec![
        Odd::json(""),
        Odd::json("null"),
        Odd::json("[]"),
        Odd::json("{}"),
        Odd::json("\"succeeded\""),
        Odd::json(&whole[..whole.len() - 1]),
        Odd::json(&format!("{whole}{whole}")),
        Odd::json(&"[".repeat(100_000)),
        // what would be fine, but for its type
        Odd::Says(200, "text/html", whole.clone()),
        Odd::Says(200, "application/jsonx", whole),
        // what stands between us and Stripe
        Odd::Says(200, "text/html", html.clone()),
        Odd::Says(402, "text/html", html.clone()),
        Odd::Says(403, "text/html", html.clone()),
        Odd::Says(404, "text/html", html.clone()),
        Odd::Says(404, "application/json", "{}".to_owned()),
        Odd::Says(402, "application/json", json!({ "error": "no" }).to_string()),
        Odd::Says(502, "text/html", html),
    ];
    all.extend(
        ["id", "amount", "currency", "status", "created"].map(|f| with(ask, f, json!(null))),
    );
    all.extend([
        with(ask, "id", json!("")),
        with(ask, "id", json!("../v1/refunds?")),
        with(ask, "id", json!("x".repeat(256))),
        with(ask, "amount", json!("5000")),
        with(ask, "amount", json!(50.5)),
        with(ask, "amount", json!(1e300)),
        with(ask, "currency", json!("euros")),
        with(ask, "currency", json!(978)),
        with(ask, "metadata", json!("order_id")),
        // paid, and not
        with(ask, "latest_charge", json!({ "amount": 5000, "captured": false })),
        Odd::json(
            &json!({ "id": "pi_1", "status": "succeeded", "created": 1, "currency": "eur",
            "amount": 5000, "metadata": { "order_id": ask.order_id } })
            .to_string(),
        ),
    ]);
    all
}

#[tokio::test]
async fn s59_what_is_not_stripes_answer_is_no_answer() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let held = stripe.authorise(&ask("pm_card_visa", 5000)).await.unwrap();
    let ask = ask("pm_card_visa", 5000);
    for odd in nonsense(&ask) {
        fake.answer_oddly("", odd.clone());
        let answer = stripe.authorise(&ask).await;
        assert!(is_unknown(&answer), "{odd:?}: {answer:?}");
        for answer in [
            stripe.capture(&held.reference, "c").await,
            stripe.void(&held.reference, "v").await,
            stripe.refund(&held.reference, 5, "r").await,
        ] {
            assert!(is_unknown(&answer), "{odd:?}: {answer:?}");
        }
        // also not "there is no such payment"
        let found = stripe.find(&held.reference).await;
        assert!(matches!(found, Err(ProviderError::Unknown(_))), "{odd:?}: {found:?}");
        let listed = stripe.list(DateTime::default(), None).await;
        assert!(listed.is_err(), "{odd:?}: {listed:?}");
    }
    fake.obey();
    let again = stripe.authorise(&ask).await.unwrap();
    assert_eq!(again.state, State::Authorised);
    assert_eq!(fake.intents().len(), 2, "the same key all the time: one charge");
}

#[tokio::test]
async fn s59_an_answer_about_something_else_is_not_believed() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let (mine, other) = (ask("pm_card_visa", 5000), ask("pm_card_visa", 5000));
    let held = stripe.authorise(&mine).await.unwrap();
    // a fact, and one that is not about this payment: `Payment::take` refuses all of them
    for odd in [
        with(&mine, "amount", json!(1)),
        with(&mine, "currency", json!("usd")),
        with(&mine, "metadata", json!({ "order_id": other.order_id })),
        with(&mine, "metadata", json!({})),
        with(&mine, "latest_charge", json!({ "captured": true, "amount_captured": 5001 })),
    ] {
        fake.answer_oddly("/v1/payment_intents", odd);
        let fact = stripe.authorise(&mine).await.unwrap();
        let order_id = mine.order_id.parse().unwrap();
        let now = Clock::system().now();
        let mut payment =
            crate::domain::payment::Payment::new(order_id, "stripe", "", mine.amount, now);
        let verdict = payment.take(&fact, now);
        assert!(matches!(verdict, crate::domain::payment::Verdict::Differs(_)), "{fact:?}");
        assert_eq!((payment.state, payment.captured), (State::Pending, 0));
    }
    // a step, or a look, that answers for another payment
    let odd = with(&mine, "id", json!("pi_another"));
    fake.answer_oddly("", odd);
    assert!(is_unknown(&stripe.capture(&held.reference, "c").await));
    assert!(stripe.find(&held.reference).await.is_err());
    fake.obey();
    stripe.capture(&held.reference, "c").await.unwrap();
    // a refund of another amount, of another payment, that failed, that left no trace
    for refund in [
        json!({ "amount": 700 }),
        json!({ "amount": 7, "payment_intent": "pi_another" }),
        json!({}),
    ] {
        fake.answer_oddly("/v1/refunds", Odd::json(&refund.to_string()));
        let answer = stripe.refund(&held.reference, 7, "r").await;
        assert!(is_unknown(&answer), "{refund}: {answer:?}");
    }
    fake.answer_oddly("/v1/refunds", Odd::json(r#"{ "amount": 7, "status": "failed" }"#));
    assert_eq!(code(stripe.refund(&held.reference, 7, "r").await), "refund_failed");
    fake.obey();
    fake.lie("", |said| said["latest_charge"]["amount_refunded"] = json!(0));
    assert!(is_unknown(&stripe.refund(&held.reference, 7, "r").await));
    fake.obey();
    assert_eq!(stripe.refund(&held.reference, 7, "r").await.unwrap().refunded, 7);
}

#[tokio::test]
async fn s59_endless_answers_are_read_no_further_than_they_may_be() {
    let fake = FakeStripe::start().await.unwrap();
    // as long as it takes: the bound ends it, not the time
    let config = StripeConfig {
        base_url: fake.url.clone(),
        secret_key: Secret::new(SECRET_KEY),
        webhook_secret: Secret::new("whsec_test"),
    };
    let stripe = Stripe::new(&config, "", Duration::from_secs(120)).unwrap();
    for status in [200, 402, 404, 500] {
        let counted = Arc::new(AtomicU64::new(0));
        fake.answer_oddly("", Odd::Endless(status, counted.clone()));
        let answer = stripe.authorise(&ask("pm_card_visa", 5000)).await;
        assert!(is_unknown(&answer), "{status}: {answer:?}");
        let sent = counted.load(Ordering::SeqCst);
        assert!(sent < FAR_TOO_MUCH, "{status}: {sent} bytes were sent");
    }
}

#[tokio::test]
async fn s59_an_answer_that_drips_is_not_waited_for() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = impatient(&fake);
    for status in [200, 404] {
        fake.answer_oddly("", Odd::Drips(status));
        let ask = ask("pm_card_visa", 5000);
        let answer = stripe.authorise(&ask);
        let answer = tokio::time::timeout(Duration::from_secs(120), answer).await.unwrap();
        assert!(is_unknown(&answer), "{status}: {answer:?}");
    }
}

#[tokio::test]
async fn s59_nobody_is_followed_elsewhere() {
    let (fake, elsewhere) =
        (FakeStripe::start().await.unwrap(), FakeStripe::start().await.unwrap());
    let stripe = client(&fake.url);
    fake.answer_oddly("", Odd::Leads(format!("{}/v1/payment_intents", elsewhere.url)));
    assert!(is_unknown(&stripe.authorise(&ask("pm_card_visa", 5000)).await));
    assert!(stripe.find("pi_1").await.is_err());
    assert!(elsewhere.seen().is_empty(), "the key went elsewhere");
}

#[tokio::test]
async fn s59_what_people_are_shown_is_taken_in_its_form_only() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let script = "<script>alert(1)</script>";
    fake.lie("/v1/payment_intents", move |said| {
        said["payment_method"] =
            json!({ "card": { "brand": script, "last4": "4242424242424242" } });
        said["next_action"] = json!({ "redirect_to_url": { "url": "javascript:alert(1)" } });
    });
    let waiting = stripe.authorise(&ask("pm_card_authenticationRequired", 100)).await.unwrap();
    assert_eq!(waiting.state, State::RequiresAction);
    assert_eq!([waiting.action_url, waiting.brand, waiting.last4], ["", "", ""]);
    fake.lie("/v1/payment_intents", move |said| {
        said["error"]["code"] = json!(script);
        said["error"]["decline_code"] = json!("x".repeat(1 << 20));
    });
    let declined = stripe.authorise(&ask("pm_card_visa_chargeDeclined", 100)).await.unwrap();
    assert_eq!(declined.decline_code, "card_declined");
}

#[tokio::test]
async fn s59_a_list_that_never_ends_is_given_up() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let stranger = json!({ "id": "pi_1", "amount": 1, "currency": "eur", "status": "canceled",
        "created": 4_000_000_000_i64 });
    let page = json!({ "object": "list", "data": [stranger], "has_more": true });
    fake.answer_oddly("", Odd::json(&page.to_string()));
    assert!(stripe.list(DateTime::default(), None).await.is_err());
}
