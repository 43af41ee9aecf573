//! Webhooks through the door, with Stripe's fake at the other end.
use souk_rpc::{Failure, Kind};
use souk_testkit::stripe::{FakeStripe, SECRET_KEY, sign};

use super::desk::{Desk, eventually, now_unix};

pub(super) fn settings(fake: &FakeStripe) -> Vec<(String, String)> {
    vec![
        ("payments.provider".to_owned(), "stripe".to_owned()),
        ("payments.timeout_ms".to_owned(), "2000".to_owned()),
        ("stripe.base_url".to_owned(), format!("\"{}\"", fake.url)),
        ("stripe.secret_key".to_owned(), SECRET_KEY.to_owned()),
        ("stripe.webhook_secret".to_owned(), "whsec_it".to_owned()),
    ]
}

macro_rules! with_stripe {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let fake = souk_testkit::stripe::FakeStripe::start().await.unwrap();
                let settings = super::settings(&fake);
                let settings: Vec<(&str, &str)> =
                    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let desk = crate::payment::desk::Desk::sqlite(&settings).await;
                Box::pin(super::$test(&desk, &fake)).await;
                desk.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let fake = souk_testkit::stripe::FakeStripe::start().await.unwrap();
                let settings = super::settings(&fake);
                let settings: Vec<(&str, &str)> =
                    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let desk = crate::payment::desk::Desk::postgres(&settings).await;
                Box::pin(super::$test(&desk, &fake)).await;
                desk.close().await;
            })*
        }
    };
}
pub(super) use with_stripe;

with_stripe! {
    an_order_is_paid_with_stripe
    a_webhook_brings_an_approved_order_on_its_way
    a_webhook_counts_once_and_a_forged_one_never
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (Kind, String) {
    let failure = answer.unwrap_err();
    (failure.kind, failure.reason)
}

async fn an_order_is_paid_with_stripe(desk: &Desk, fake: &FakeStripe) {
    let ada = desk.person(&[]);
    let order = desk.buy_with(&ada, "pm_card_visa".to_owned()).await.order.unwrap().id;
    desk.becomes(&ada, &order, "confirmed").await;
    let intents = fake.intents();
    assert_eq!(intents.len(), 1);
    assert_eq!(
        (&intents[0]["status"], &intents[0]["amount"]),
        (&"succeeded".into(), &intents[0]["amount_received"])
    );
    assert_eq!(intents[0]["metadata"]["order_id"], order.as_str());
    // an answer that gets lost is asked for again
    fake.lose_next(1);
    let order = desk.buy_with(&ada, "pm_card_visa".to_owned()).await.order.unwrap().id;
    desk.becomes(&ada, &order, "confirmed").await;
    assert_eq!(fake.intents().len(), 2, "one charge each");
    let declined = desk.buy_with(&ada, "pm_card_visa_chargeDeclined".to_owned()).await;
    let payment = desk.order(&ada, &declined.order.unwrap().id).await.payment.unwrap();
    assert_eq!(payment.decline_code, "generic_decline");
    // cards are Stripe's business
    let card = desk.card(&ada, "4242424242424242").await;
    assert_eq!(refusal(card), (Kind::Conflict, "cards_elsewhere".to_owned()));
}

async fn a_webhook_brings_an_approved_order_on_its_way(desk: &Desk, fake: &FakeStripe) {
    let ada = desk.person(&[]);
    let method = "pm_card_authenticationRequired".to_owned();
    let order = desk.buy_with(&ada, method).await.order.unwrap().id;
    desk.becomes(&ada, &order, "awaiting_payment").await;
    let intent = fake.intents()[0]["id"].as_str().unwrap().to_owned();
    // the body is a hint: what it says is not believed
    let (body, header) = fake.webhook("whsec_it", "evt_lie", &intent, now_unix());
    let lie = String::from_utf8(body).unwrap().replace("requires_action", "succeeded");
    let signed = sign("whsec_it", lie.as_bytes(), now_unix());
    assert_ne!(signed, header);
    desk.webhook("stripe", Some(&signed), lie.as_bytes()).await.unwrap();
    eventually("the lie was followed", || async {
        let waiting =
            desk.rows("SELECT event_id FROM webhook_inbox WHERE due_at IS NOT NULL").await;
        waiting.is_empty().then_some(())
    })
    .await;
    assert_eq!(desk.order(&ada, &order).await.status, "awaiting_payment");
    fake.approve(&intent);
    let (body, header) = fake.webhook("whsec_it", "evt_true", &intent, now_unix());
    assert!(!desk.webhook("stripe", Some(&header), &body).await.unwrap().known);
    desk.becomes(&ada, &order, "confirmed").await;
    assert_eq!(fake.intents()[0]["status"], "succeeded");
}

async fn a_webhook_counts_once_and_a_forged_one_never(desk: &Desk, fake: &FakeStripe) {
    let ada = desk.person(&[]);
    let order = desk.buy_with(&ada, "pm_card_visa".to_owned()).await.order.unwrap().id;
    desk.becomes(&ada, &order, "confirmed").await;
    let intent = fake.intents()[0]["id"].as_str().unwrap().to_owned();
    let letter = |secret: &str, age: i64| fake.webhook(secret, "evt_1", &intent, now_unix() - age);
    let bad = (Kind::Unauthenticated, "bad_signature".to_owned());
    let (body, header) = letter("whsec_it", 0);
    assert_eq!(refusal(desk.webhook("stripe", None, &body).await), bad);
    assert_eq!(refusal(desk.webhook("stripe", Some("t=1,v1=00"), &body).await), bad);
    let mut spoiled = body.clone();
    spoiled.push(b' ');
    assert_eq!(refusal(desk.webhook("stripe", Some(&header), &spoiled).await), bad);
    for (secret, age) in [("whsec_other", 0), ("", 0), ("whsec_it", 400), ("whsec_it", -400)] {
        let (body, header) = letter(secret, age);
        assert_eq!(refusal(desk.webhook("stripe", Some(&header), &body).await), bad, "{age}");
    }
    let elsewhere = refusal(desk.webhook("test", Some(&header), &body).await);
    assert_eq!(elsewhere.0, Kind::NotFound);
    assert_eq!(desk.rows("SELECT event_id FROM webhook_inbox").await.len(), 0);
    let all = (0..10).map(|_| desk.webhook("stripe", Some(&header), &body));
    let known: Vec<bool> =
        futures::future::join_all(all).await.into_iter().map(|a| a.unwrap().known).collect();
    assert_eq!(known.iter().filter(|known| !**known).count(), 1, "{known:?}");
    assert_eq!(desk.rows("SELECT event_id FROM webhook_inbox").await.len(), 1);
    let after = desk.order(&ada, &order).await;
    assert_eq!(
        (after.status.as_str(), after.payment.unwrap().state.as_str()),
        ("confirmed", "captured")
    );
}
