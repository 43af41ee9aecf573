//! What coupons take off, and when they count.
use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn coupon(gift: Gift) -> Coupon {
    Coupon {
        code: "TEN".to_owned(),
        gift,
        currency: Currency::EUR,
        minimum: None,
        starts_at: None,
        ends_at: None,
        total_limit: None,
        customer_limit: None,
        active: true,
        used: 0,
        version: 1,
    }
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn why<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.unwrap_err().code
}

#[test]
fn codes_are_compared_without_case() {
    assert_eq!(code(" spring_2027 ").as_deref(), Some("SPRING_2027"));
    for bad in ["", "AB", "A B C", "ÄÖÜ", &"A".repeat(41)] {
        assert_eq!(code(bad), None, "{bad:?}");
    }
}

#[test]
fn each_kind_takes_off_its_own() {
    let eur = Currency::EUR;
    assert_eq!(coupon(Gift::Percent(100_000)).discount(1_995, eur), 200);
    assert_eq!(coupon(Gift::Percent(1_000_000)).discount(1_995, eur), 1_995);
    assert_eq!(coupon(Gift::Amount(500)).discount(1_995, eur), 500);
    assert_eq!(coupon(Gift::Amount(500)).discount(499, eur), 499);
    assert_eq!(coupon(Gift::Amount(500)).discount(1_995, "USD".parse().unwrap()), 0);
    assert_eq!(coupon(Gift::FreeShipping).discount(1_995, eur), 0);
    assert!(coupon(Gift::FreeShipping).ships_free());
}

#[test]
fn a_coupon_counts_within_its_window() {
    let day = TimeDelta::days(1);
    let coupon = Coupon {
        starts_at: Some(noon()),
        ends_at: Some(noon() + day),
        ..coupon(Gift::Percent(100_000))
    };
    let at = |now| coupon.counts(100, Currency::EUR, now);
    assert_eq!(why(at(noon() - TimeDelta::microseconds(1))), "coupon_not_started");
    assert_eq!(at(noon()), Ok(()));
    assert_eq!(at(noon() + day - TimeDelta::microseconds(1)), Ok(()));
    assert_eq!(why(at(noon() + day)), "coupon_expired");
    let off = Coupon { active: false, ..coupon.clone() };
    assert_eq!(why(off.counts(100, Currency::EUR, noon())), "coupon_inactive");
    assert_eq!(off.lost(noon()).code, "coupon_inactive");
    assert_eq!(coupon.lost(noon()).code, "coupon_used_up");
}

#[test]
fn a_minimum_and_an_amount_are_of_a_currency_and_a_percentage_is_not() {
    let usd = "USD".parse().unwrap();
    let least = Coupon { minimum: Some(1_000), ..coupon(Gift::Percent(100_000)) };
    assert_eq!(least.counts(1_000, Currency::EUR, noon()), Ok(()));
    let refused = least.counts(999, Currency::EUR, noon()).unwrap_err();
    assert_eq!((refused.code, refused.facts["minimum"].as_str()), ("coupon_minimum", "10.00"));
    assert_eq!(why(least.counts(1_000, usd, noon())), "coupon_currency");
    assert_eq!(why(coupon(Gift::Amount(1)).counts(1_000, usd, noon())), "coupon_currency");
    assert_eq!(coupon(Gift::Percent(1)).counts(1_000, usd, noon()), Ok(()));
}

#[test]
fn limits_are_for_all_and_for_one() {
    let limited = Coupon {
        total_limit: Some(3),
        customer_limit: Some(1),
        used: 2,
        ..coupon(Gift::FreeShipping)
    };
    assert_eq!(limited.has_some_left(0), Ok(()));
    assert_eq!(why(limited.has_some_left(1)), "coupon_used_by_customer");
    let all = Coupon { used: 3, ..limited };
    assert_eq!(why(all.has_some_left(0)), "coupon_used_up");
}

#[test]
fn every_broken_field_is_named() {
    let broken = Coupon {
        code: "ab".into(),
        minimum: Some(-1),
        starts_at: Some(noon()),
        ends_at: Some(noon()),
        total_limit: Some(0),
        customer_limit: Some(-1),
        ..coupon(Gift::Percent(0))
    };
    let fields: Vec<String> = broken.checked().unwrap_err().into_iter().map(|b| b.0).collect();
    let expected = ["code", "percent", "minimum", "ends_at", "total_limit", "customer_limit"];
    assert_eq!(fields, expected);
    let amount = coupon(Gift::Amount(0)).checked().unwrap_err();
    assert_eq!(amount[0].0, "amount");
    assert!(coupon(Gift::Percent(1_000_000)).checked().is_ok());
    assert!(coupon(Gift::Percent(1_000_001)).checked().is_err());
}

proptest! {
    #[test]
    fn a_discount_is_never_more_than_the_goods(
        subtotal in 0..1_000_000_000_000_000_i64,
        ppm in 1..=1_000_000_u32,
        amount in 1..1_000_000_000_000_i64,
    ) {
        for gift in [Gift::Percent(ppm), Gift::Amount(amount), Gift::FreeShipping] {
            let discount = coupon(gift).discount(subtotal, Currency::EUR);
            prop_assert!((0..=subtotal).contains(&discount), "{gift:?} {discount}");
        }
    }
}
