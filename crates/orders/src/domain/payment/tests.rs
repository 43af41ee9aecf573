//! Facts come in any order and say the same in the end.
use proptest::prelude::*;
use souk_values::Currency;

use super::*;

fn payment() -> Payment {
    Payment::new(OrderId::new(), "test", "", Money::new(5000, Currency::EUR), now())
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn fact(payment: &Payment, state: State, refunded: i64) -> ProviderPayment {
    let captured = if state == State::Captured { payment.amount.minor } else { 0 };
    ProviderPayment {
        reference: "pay_1".into(),
        order_id: payment.order_id.to_string(),
        state,
        amount: payment.amount,
        captured,
        refunded: refunded.min(captured),
        brand: "visa".into(),
        last4: "4242".into(),
        decline_code: if state == State::Declined { "card_declined".into() } else { String::new() },
        action_url: if state == State::RequiresAction { "/go".into() } else { String::new() },
        created_at: now(),
    }
}

fn facts() -> impl Strategy<Value = Vec<(State, i64)>> {
    prop::collection::vec((prop::sample::select(State::ALL.to_vec()), 0_i64..5000), 1..12)
}

proptest! {
    #[test]
    fn the_order_and_number_of_facts_do_not_matter(
        (said, shuffled) in facts().prop_flat_map(|f| (Just(f.clone()), Just(f).prop_shuffle())),
        again in any::<prop::sample::Index>(),
    ) {
        let fresh = payment();
        let (mut one, mut other) = (fresh.clone(), fresh.clone());
        let mut highest = State::Pending;
        for &(state, refunded) in &said {
            one.take(&fact(&fresh, state, refunded), now());
            highest = highest.max(state);
            prop_assert_eq!(one.state, highest, "only upwards");
        }
        for &(state, refunded) in &shuffled {
            other.take(&fact(&fresh, state, refunded), now());
        }
        prop_assert_eq!(&one, &other);
        let &(state, refunded) = again.get(&said);
        prop_assert_eq!(other.take(&fact(&fresh, state, refunded), now()), Verdict::Known);
        prop_assert_eq!(&one, &other);
    }
}

#[test]
fn a_fact_about_something_else_is_a_difference_and_changes_nothing() {
    let mut ours = payment();
    assert_eq!(ours.take(&fact(&ours.clone(), State::Authorised, 0), now()), Verdict::News);
    let before = ours.clone();
    let good = fact(&ours, State::Captured, 0);
    let usd = "USD".parse().unwrap();
    let wrong = [
        (
            Kind::AmountDiffers,
            ProviderPayment { amount: Money::new(1, Currency::EUR), ..good.clone() },
        ),
        (Kind::AmountDiffers, ProviderPayment { amount: Money::new(5000, usd), ..good.clone() }),
        (Kind::AmountDiffers, ProviderPayment { captured: 5001, ..good.clone() }),
        (Kind::AmountDiffers, ProviderPayment { refunded: 5001, ..good.clone() }),
        (
            Kind::AmountDiffers,
            ProviderPayment { order_id: OrderId::new().to_string(), ..good.clone() },
        ),
        (Kind::SecondPayment, ProviderPayment { reference: "pay_2".into(), ..good.clone() }),
    ];
    for (expected, fact) in wrong {
        assert_eq!(ours.difference(&fact).unwrap().0, expected, "{fact:?}");
        assert!(matches!(ours.take(&fact, now()), Verdict::Differs(_)), "{fact:?}");
        assert_eq!(ours, before);
    }
    assert_eq!(ours.take(&good, now()), Verdict::News);
}

#[test]
fn keys_name_the_order_and_the_step() {
    let ours = payment();
    let id = ours.order_id;
    assert_eq!(ours.authorise_key(), format!("order:{id}:auth:1"));
    assert_eq!(ours.capture_key(), format!("order:{id}:capture"));
    assert_eq!(ours.void_key(), format!("order:{id}:void"));
    assert_eq!(ours.refund_key(2), format!("order:{id}:refund:2"));
}
