//! The Stripe client against localstripe, a peer that others wrote, and against a recorded fake for
//! what localstripe lacks: idempotency keys, lost answers, webhooks.
mod odd;

use souk_service::Secret;
use souk_testkit::stripe::{FakeStripe, SECRET_KEY};
use souk_values::{Clock, Currency, Money, OrderId};

use super::*;

fn client(base_url: &str) -> Stripe {
    let config = StripeConfig {
        base_url: base_url.to_owned(),
        secret_key: Secret::new(SECRET_KEY),
        webhook_secret: Secret::new("whsec_test"),
    };
    Stripe::new(&config, "", Duration::from_millis(2_000)).unwrap()
}

fn impatient(fake: &FakeStripe) -> Stripe {
    let config = StripeConfig {
        base_url: fake.url.clone(),
        secret_key: Secret::new(SECRET_KEY),
        webhook_secret: Secret::new("whsec_test"),
    };
    Stripe::new(&config, "https://shop.example", Duration::from_millis(300)).unwrap()
}

/// localstripe, as `cargo xtask test` starts it.
fn peer() -> Stripe {
    #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
    let url = std::env::var("SOUK_TEST_STRIPE_URL")
        .expect("SOUK_TEST_STRIPE_URL is not set: start with `cargo xtask test`");
    client(&url)
}

fn ask(method: &str, minor: i64) -> Authorise {
    let order_id = OrderId::new().to_string();
    Authorise {
        key: format!("order:{order_id}:auth:1"),
        order_id,
        user_id: "usr_1".to_owned(),
        method: method.to_owned(),
        amount: Money::new(minor, Currency::EUR),
    }
}

fn code(answer: Result<ProviderPayment, ProviderError>) -> String {
    match answer.unwrap_err() {
        ProviderError::Refused { code } => code,
        ProviderError::Unknown(why) => format!("unknown: {why}"),
    }
}

fn is_unknown(answer: &Result<ProviderPayment, ProviderError>) -> bool {
    matches!(answer, Err(ProviderError::Unknown(_)))
}

#[tokio::test]
async fn localstripe_holds_takes_and_gives_back() {
    let stripe = peer();
    let ask = ask("pm_card_visa", 5000);
    let held = stripe.authorise(&ask).await.unwrap();
    assert_eq!((held.state, held.captured, held.refunded), (State::Authorised, 0, 0));
    assert_eq!((held.amount, held.order_id.as_str()), (ask.amount, ask.order_id.as_str()));
    assert_eq!((held.brand.as_str(), held.last4.as_str()), ("visa", "4242"));
    assert_eq!(stripe.find(&held.reference).await.unwrap().unwrap().state, State::Authorised);
    let taken = stripe.capture(&held.reference, "c").await.unwrap();
    assert_eq!((taken.state, taken.captured), (State::Captured, 5000));
    // localstripe knows no keys and refuses; the truth says that it is done
    assert_eq!(stripe.capture(&held.reference, "c").await.unwrap().state, State::Captured);
    let part = stripe.refund(&held.reference, 1200, "r1").await.unwrap();
    assert_eq!((part.state, part.captured, part.refunded), (State::Captured, 5000, 1200));
    let rest = stripe.refund(&held.reference, 3800, "r2").await.unwrap();
    assert_eq!((rest.captured, rest.refunded), (5000, 5000));
    assert!(code(stripe.void(&held.reference, "v").await).starts_with("status_400"));
}

#[tokio::test]
async fn localstripe_voids_declines_and_does_not_know_strangers() {
    let stripe = peer();
    let held = stripe.authorise(&ask("pm_card_visa", 700)).await.unwrap();
    let voided = stripe.void(&held.reference, "v").await.unwrap();
    assert_eq!((voided.state, voided.captured, voided.refunded), (State::Voided, 0, 0));
    assert_eq!(stripe.void(&held.reference, "v").await.unwrap().state, State::Voided);
    let refused = ask("pm_card_chargeCustomerFail", 900);
    let declined = stripe.authorise(&refused).await.unwrap();
    assert_eq!(declined.state, State::Declined);
    assert_eq!(declined.decline_code, "card_declined");
    assert_eq!(declined.order_id, refused.order_id, "found by its charge");
    assert!(declined.reference.starts_with("pi_"), "{}", declined.reference);
    assert_eq!(code(stripe.authorise(&ask("pm_unknown", 1)).await), "payment_method_not_found");
    assert_eq!(code(stripe.authorise(&ask("", 1)).await), "payment_method_required");
    assert_eq!(stripe.find("pi_unknown").await.unwrap(), None);
    assert_eq!(stripe.find("../v1/refunds").await.unwrap(), None);
}

#[tokio::test]
async fn localstripe_lists_its_payments() {
    let stripe = peer();
    let since = Clock::system().now() - chrono::TimeDelta::hours(1);
    let mut made = Vec::new();
    for minor in 1..4 {
        made.push(stripe.authorise(&ask("pm_card_visa", minor * 100)).await.unwrap().reference);
    }
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = stripe.list(since, cursor.as_deref()).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.reference.clone());
        listed.extend(page.into_iter().map(|fact| fact.reference));
    }
    assert!(made.iter().all(|reference| listed.contains(reference)), "{made:?} in {listed:?}");
}

#[tokio::test]
async fn the_request_is_what_stripe_documents() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let ask = ask("pm_card_visa", 1099);
    let held = stripe.authorise(&ask).await.unwrap();
    stripe.capture(&held.reference, "the capture").await.unwrap();
    stripe.refund(&held.reference, 99, "the refund").await.unwrap();
    let seen = fake.seen();
    let sent = |path: &str| seen.iter().find(|s| s.method == "POST" && s.path == path).unwrap();
    let asked = sent("/v1/payment_intents");
    assert_eq!(asked.idempotency_key, ask.key);
    for (name, value) in [
        ("amount", "1099"),
        ("currency", "eur"),
        ("capture_method", "manual"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("metadata[order_id]", &ask.order_id),
    ] {
        assert!(asked.form.contains(&(name.to_owned(), value.to_owned())), "{name}: {asked:?}");
    }
    let capture = sent(&format!("/v1/payment_intents/{}/capture", held.reference));
    assert_eq!(capture.idempotency_key, "the capture");
    let refund = sent("/v1/refunds");
    assert_eq!(refund.idempotency_key, "the refund");
    assert!(refund.form.contains(&("amount".to_owned(), "99".to_owned())), "{refund:?}");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_charged_once() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = impatient(&fake);
    let ask = ask("pm_card_visa", 4200);
    fake.lose_next(1);
    assert!(is_unknown(&stripe.authorise(&ask).await));
    let held = stripe.authorise(&ask).await.unwrap();
    assert_eq!(fake.intents().len(), 1, "one charge");
    fake.lose_next(1);
    assert!(is_unknown(&stripe.capture(&held.reference, "c").await));
    assert_eq!(stripe.capture(&held.reference, "c").await.unwrap().captured, 4200);
    fake.lose_next(1);
    assert!(is_unknown(&stripe.refund(&held.reference, 200, "r").await));
    // the first question of a refund was lost, not the refund; both times one key
    let after = stripe.refund(&held.reference, 200, "r").await.unwrap();
    let again = stripe.refund(&held.reference, 200, "r").await.unwrap();
    assert_eq!((after.refunded, again.refunded), (200, 200));
    let other = Authorise { amount: Money::new(1, Currency::EUR), ..ask };
    assert_eq!(code(stripe.authorise(&other).await), "idempotency_key_in_use");
}

#[tokio::test]
async fn whatever_may_have_happened_is_unknown() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    for status in [409, 429, 500, 502, 503, 302] {
        fake.fail_next(1, status);
        assert!(is_unknown(&stripe.authorise(&ask("pm_card_visa", 1)).await), "{status}");
    }
    for status in [400, 401, 403] {
        fake.fail_next(1, status);
        assert_eq!(code(stripe.authorise(&ask("pm_card_visa", 1)).await), "lock_timeout");
    }
    drop(fake);
    assert!(is_unknown(&stripe.authorise(&ask("pm_card_visa", 1)).await), "nobody there");
}

#[tokio::test]
async fn declines_and_second_steps_are_answers() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = impatient(&fake);
    for (method, code) in [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ] {
        let declined = stripe.authorise(&ask(method, 100)).await.unwrap();
        assert_eq!((declined.state, declined.decline_code.as_str()), (State::Declined, code));
        assert_eq!(declined.last4, "4242");
        let found = stripe.find(&declined.reference).await.unwrap().unwrap();
        assert_eq!((found.state, found.decline_code.as_str()), (State::Declined, code));
    }
    let ask = ask("pm_card_authenticationRequired", 100);
    let waiting = stripe.authorise(&ask).await.unwrap();
    assert_eq!(waiting.state, State::RequiresAction);
    let back = format!("https://shop.example/orders/{}", ask.order_id);
    assert!(waiting.action_url.ends_with(&back), "{}", waiting.action_url);
    fake.approve(&waiting.reference);
    let held = stripe.find(&waiting.reference).await.unwrap().unwrap();
    assert_eq!(held.state, State::Authorised);
    assert_eq!(code(stripe.refund(&held.reference, 1, "r").await), "charge_already_refunded");
    let taken = stripe.capture(&held.reference, "c").await.unwrap();
    assert_eq!(code(stripe.void(&taken.reference, "v").await), "payment_intent_unexpected_state");
}

#[tokio::test]
async fn amounts_cross_in_stripes_units() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    for (currency, minor, sent) in [("JPY", 500, 500), ("ISK", 5, 500), ("KWD", 5120, 5120)] {
        let amount = Money::new(minor, currency.parse().unwrap());
        let held = stripe.authorise(&Authorise { amount, ..ask("pm_card_visa", 0) }).await.unwrap();
        assert_eq!(held.amount, amount);
        assert_eq!(fake.intents().last().unwrap()["amount"], sent);
        let taken = stripe.capture(&held.reference, currency).await.unwrap();
        assert_eq!(taken.captured, minor);
        let key = format!("refund {currency}");
        assert_eq!(stripe.refund(&held.reference, minor, &key).await.unwrap().refunded, minor);
    }
    let amount = Money::new(5124, "KWD".parse().unwrap());
    let uneven = Authorise { amount, ..ask("pm_card_visa", 0) };
    assert_eq!(code(stripe.authorise(&uneven).await), "amount_invalid");
}

#[tokio::test]
async fn a_list_leaves_out_what_is_old_or_not_ours() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let mut made = Vec::new();
    for _ in 0..103 {
        made.push(stripe.authorise(&ask("pm_card_visa", 100)).await.unwrap().reference);
    }
    fake.change(&made[0], |intent| intent["created"] = serde_json::json!(1_000));
    fake.change(&made[1], |intent| intent["metadata"] = serde_json::json!({}));
    let since = Clock::system().now() - chrono::TimeDelta::hours(72);
    let first = stripe.list(since, None).await.unwrap();
    assert_eq!(first.len(), 100);
    let last = first.last().unwrap().reference.clone();
    let second = stripe.list(since, Some(&last)).await.unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].reference, made[2]);
    assert!(stripe.list(since, Some(&made[2])).await.unwrap().is_empty());
}

#[tokio::test]
async fn webhooks_are_believed_when_stripe_signed_them_just_now() {
    let fake = FakeStripe::start().await.unwrap();
    let stripe = client(&fake.url);
    let held = stripe.authorise(&ask("pm_card_visa", 100)).await.unwrap();
    let now = Clock::system().now();
    let read = |secret: &str, age: i64, spoil: bool| {
        let unix = now.timestamp() - age;
        let (mut body, header) = fake.webhook(secret, "evt_1", &held.reference, unix);
        if spoil {
            body.push(b' ');
        }
        let headers = BTreeMap::from([("stripe-signature".to_owned(), header)]);
        stripe.read_webhook(&headers, &body, now)
    };
    let hint = Hint { event_id: "evt_1".to_owned(), reference: held.reference.clone() };
    assert_eq!(read("whsec_test", 0, false), Some(hint));
    assert!(read("whsec_test", 299, false).is_some());
    assert_eq!(read("whsec_test", 301, false), None);
    assert_eq!(read("whsec_test", -301, false), None);
    assert_eq!(read("whsec_other", 0, false), None);
    assert_eq!(read("whsec_test", 0, true), None);
    assert_eq!(stripe.read_webhook(&BTreeMap::new(), b"{}", now), None);
}
