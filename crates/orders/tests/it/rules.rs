//! Shop rules and the quotes that follow them.
mod house;
mod quote;

use souk_proto::orders::v1 as pb;
use souk_proto::types::v1::PageRequest;
use souk_rpc::Kind;

use house::{Shop, answer, answer_as, broken_fields, refusal};

macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let shop = crate::rules::house::Shop::sqlite().await;
                super::$test(&shop).await;
                shop.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let shop = crate::rules::house::Shop::postgres().await;
                super::$test(&shop).await;
                shop.close().await;
            })*
        }
    };
}
use on_both;

on_both! {
    a_shipping_method_is_made_changed_and_removed_by_version
    tax_rates_and_settings_have_versions_too
    a_coupon_keeps_its_uses_and_its_one_spelling
    every_broken_field_of_a_rule_is_named_at_once
    only_the_staff_sees_and_sets_rules
    a_rule_that_was_made_changed_and_removed_is_three_entries
    of_many_who_make_the_same_rule_one_does
}

pub(crate) fn parcel() -> pb::ShippingMethod {
    pb::ShippingMethod {
        code: "parcel".into(),
        name: "Parcel".into(),
        kind: "flat".into(),
        currency: "EUR".into(),
        price_minor: 490,
        active: true,
        ..pb::ShippingMethod::default()
    }
}

pub(crate) fn ten_percent() -> pb::Coupon {
    pb::Coupon {
        code: "TEN".into(),
        kind: "percent".into(),
        percent_ppm: 100_000,
        currency: "EUR".into(),
        active: true,
        ..pb::Coupon::default()
    }
}

fn stale() -> (Kind, String) {
    (Kind::Stale, "stale_version".to_owned())
}

fn conflict(code: &str) -> (Kind, String) {
    (Kind::Conflict, code.to_owned())
}

fn missing(code: &str) -> (Kind, String) {
    (Kind::NotFound, code.to_owned())
}

fn named(key: &str, expected_version: Option<u64>) -> pb::DeleteRuleRequest {
    pb::DeleteRuleRequest { key: key.to_owned(), expected_version }
}

async fn a_shipping_method_is_made_changed_and_removed_by_version(shop: &Shop) {
    let made = shop.put_method(parcel(), Some(0)).await.unwrap();
    assert_eq!(made, pb::ShippingMethod { version: 1, ..parcel() });
    assert_eq!(
        refusal(shop.put_method(parcel(), Some(0)).await),
        conflict("shipping_method_exists")
    );
    let by_weight = pb::ShippingMethod {
        kind: "by_weight".into(),
        step_price_minor: 150,
        step_g: 1_000,
        free_above_minor: Some(5_000),
        max_weight_g: Some(31_500),
        countries: vec!["de".into(), "AT".into()],
        ..parcel()
    };
    let changed = shop.put_method(by_weight.clone(), Some(1)).await.unwrap();
    let countries = vec!["AT".to_owned(), "DE".to_owned()];
    assert_eq!(changed, pb::ShippingMethod { version: 2, countries, ..by_weight });
    assert_eq!(refusal(shop.put_method(parcel(), Some(1)).await), stale());
    let new = pb::ShippingMethod { code: "post".into(), ..parcel() };
    assert_eq!(refusal(shop.put_method(new.clone(), Some(1)).await), stale());
    shop.put_method(new, None).await.unwrap();

    let list = pb::ListShippingMethodsRequest {};
    let items = answer(shop.rules().list_shipping_methods(list)).await.unwrap().items;
    let codes: Vec<&str> = items.iter().map(|m| m.code.as_str()).collect();
    assert_eq!((codes, &items[0]), (vec!["parcel", "post"], &changed));

    let delete = |key, version| {
        let mut rules = shop.rules();
        async move { answer(rules.delete_shipping_method(named(key, version))).await }
    };
    assert_eq!(refusal(delete("parcel", Some(1)).await), stale());
    assert_eq!(delete("parcel", Some(2)).await.unwrap(), changed);
    assert_eq!(refusal(delete("parcel", None).await), missing("shipping_method_not_found"));
}

async fn tax_rates_and_settings_have_versions_too(shop: &Shop) {
    let made = shop.put_rate("de", "Standard", 190_000, Some(0)).await.unwrap();
    assert_eq!((made.country.as_str(), made.class.as_str()), ("DE", "standard"));
    assert_eq!((made.rate_ppm, made.version), (190_000, 1));
    let again = shop.put_rate("DE", "standard", 1, Some(0)).await;
    assert_eq!(refusal(again), conflict("tax_rate_exists"));
    assert_eq!(shop.put_rate("DE", "standard", 160_000, Some(1)).await.unwrap().version, 2);
    assert_eq!(refusal(shop.put_rate("DE", "standard", 1, Some(1)).await), stale());
    shop.put_rate("*", "standard", 0, None).await.unwrap();
    let list = pb::ListTaxRatesRequest {};
    let items = answer(shop.rules().list_tax_rates(list)).await.unwrap().items;
    let told: Vec<(&str, u32)> = items.iter().map(|r| (r.country.as_str(), r.rate_ppm)).collect();
    assert_eq!(told, [("*", 0), ("DE", 160_000)]);
    let delete = |key, version| {
        let mut rules = shop.rules();
        async move { answer(rules.delete_tax_rate(named(key, version))).await }
    };
    assert_eq!(refusal(delete("DE/standard", Some(1)).await), stale());
    assert_eq!(delete("DE/standard", Some(2)).await.unwrap().rate_ppm, 160_000);
    for key in ["DE/standard", "DE", "", "/"] {
        assert_eq!(refusal(delete(key, None).await), missing("tax_rate_not_found"), "{key}");
    }

    let get = pb::GetTaxSettingsRequest {};
    let first = answer(shop.rules().get_tax_settings(get)).await.unwrap();
    let expected =
        pb::TaxSettings { prices_include_tax: true, default_country: String::new(), version: 1 };
    assert_eq!(first, expected);
    let set = shop.put_settings(false, "de", Some(1)).await.unwrap();
    let default_country = "DE".to_owned();
    assert_eq!(set, pb::TaxSettings { prices_include_tax: false, default_country, version: 2 });
    assert_eq!(refusal(shop.put_settings(true, "", Some(1)).await), stale());
    assert_eq!(shop.put_settings(true, "", None).await.unwrap().version, 3);
}

async fn a_coupon_keeps_its_uses_and_its_one_spelling(shop: &Shop) {
    let loose = pb::Coupon { code: " ten ".into(), used: 99, ..ten_percent() };
    let made = shop.put_coupon(loose, Some(0)).await.unwrap();
    assert_eq!(made, pb::Coupon { version: 1, ..ten_percent() });
    let taken = shop.put_coupon(ten_percent(), Some(0)).await;
    assert_eq!(refusal(taken), conflict("coupon_exists"));
    let amount = pb::Coupon {
        kind: "amount".into(),
        percent_ppm: 0,
        amount_minor: 500,
        minimum_minor: Some(2_000),
        starts_at_us: 1_700_000_000_000_000,
        ends_at_us: 1_900_000_000_000_000,
        total_limit: Some(3),
        customer_limit: Some(1),
        ..ten_percent()
    };
    let changed = shop.put_coupon(amount.clone(), Some(1)).await.unwrap();
    assert_eq!(changed, pb::Coupon { version: 2, ..amount });
    assert_eq!(refusal(shop.put_coupon(ten_percent(), Some(1)).await), stale());
    let get = |code: &str| {
        let request = pb::GetCouponRequest { code: code.to_owned() };
        let mut rules = shop.rules();
        async move { answer(rules.get_coupon(request)).await }
    };
    assert_eq!(get("tEn").await.unwrap(), changed);
    assert_eq!(refusal(get("other").await), missing("coupon_not_found"));

    for code in ["AAA", "BBB", "CCC"] {
        shop.put_coupon(pb::Coupon { code: code.into(), ..ten_percent() }, None).await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = Some(PageRequest { limit: 3, cursor });
        let request = pb::ListCouponsRequest { page };
        let found = answer(shop.rules().list_coupons(request)).await.unwrap();
        seen.extend(found.items.into_iter().map(|c| c.code));
        cursor = found.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["AAA", "BBB", "CCC", "TEN"]);

    let gone = answer(shop.rules().delete_coupon(named("ten", Some(2)))).await.unwrap();
    assert_eq!(gone.code, "TEN");
    let again = answer(shop.rules().delete_coupon(named("ten", None))).await;
    assert_eq!(refusal(again), missing("coupon_not_found"));
}

async fn every_broken_field_of_a_rule_is_named_at_once(shop: &Shop) {
    let method = pb::ShippingMethod {
        code: "A b".into(),
        name: String::new(),
        kind: "by_drone".into(),
        currency: "eur".into(),
        price_minor: -1,
        countries: vec!["Germany".into()],
        ..parcel()
    };
    let broken = broken_fields(shop.put_method(method, None).await);
    assert_eq!(broken, ["kind", "currency", "code", "name", "price", "countries"]);
    let broken = broken_fields(shop.put_rate("Germany", "A b", 2_000_000, None).await);
    assert_eq!(broken, ["country", "class", "rate"]);
    assert_eq!(broken_fields(shop.put_settings(true, "XX", None).await), ["default_country"]);
    let coupon = pb::Coupon {
        code: "A B".into(),
        kind: "half".into(),
        currency: "XXX".into(),
        starts_at_us: -1,
        total_limit: Some(0),
        minimum_minor: Some(-1),
        ..ten_percent()
    };
    let broken = broken_fields(shop.put_coupon(coupon, None).await);
    let expected = ["kind", "starts_at", "currency", "code", "minimum", "total_limit"];
    assert_eq!(broken, expected);
    let page = Some(PageRequest { limit: 101, cursor: String::new() });
    let list = answer(shop.rules().list_coupons(pb::ListCouponsRequest { page })).await;
    assert_eq!(broken_fields(list), ["limit"]);
}

async fn only_the_staff_sees_and_sets_rules(shop: &Shop) {
    let ann = shop.customer("ann").await;
    let mut rules = shop.gateway_rules();
    let list = answer_as(&ann, rules.list_tax_rates(pb::ListTaxRatesRequest {})).await;
    assert_eq!(list.unwrap_err().kind, Kind::Forbidden);
    let request = pb::PutCouponRequest { coupon: Some(ten_percent()), expected_version: None };
    let put = answer_as(&ann, rules.put_coupon(request)).await;
    assert_eq!(put.unwrap_err().kind, Kind::Forbidden);
    let nobody = answer(rules.list_tax_rates(pb::ListTaxRatesRequest {})).await;
    assert_eq!(nobody.unwrap_err().kind, Kind::Unauthenticated);
}

async fn of_many_who_make_the_same_rule_one_does(shop: &Shop) {
    let methods = (0..10).map(|_| shop.put_method(parcel(), Some(0)));
    let made = futures::future::join_all(methods).await;
    assert_eq!(made.iter().filter(|m| m.is_ok()).count(), 1);
    let changes = (0..10).map(|_| shop.put_method(parcel(), Some(1)));
    let changed = futures::future::join_all(changes).await;
    assert_eq!(changed.iter().filter(|m| m.is_ok()).count(), 1);
    assert!(changed.into_iter().filter(Result::is_err).all(|m| refusal(m) == stale()));
    let blind = (0..10).map(|_| shop.put_method(parcel(), None));
    assert!(futures::future::join_all(blind).await.iter().all(Result::is_ok));
    let last = shop.put_method(parcel(), None).await.unwrap();
    assert_eq!(last.version, 13);
}

async fn a_rule_that_was_made_changed_and_removed_is_three_entries(shop: &Shop) {
    shop.put_coupon(ten_percent(), Some(0)).await.unwrap();
    // nothing is told of what was not done
    shop.put_coupon(ten_percent(), Some(7)).await.unwrap_err();
    let less = pb::Coupon { percent_ppm: 50_000, active: false, ..ten_percent() };
    shop.put_coupon(less, Some(1)).await.unwrap();
    let request = pb::DeleteRuleRequest { key: "TEN".into(), expected_version: Some(2) };
    answer(shop.rules().delete_coupon(request)).await.unwrap();
    let page = souk_values::Page::new(100, "").unwrap();
    let (entries, _) = shop.audit().list(&souk_audit::Filter::default(), &page).await.unwrap();
    let told: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(told, ["coupon.deleted", "coupon.changed", "coupon.created"]);
    let changed: Vec<(&str, &str, &str)> = entries[1]
        .changes
        .iter()
        .map(|change| (change.field.as_str(), change.before.as_str(), change.after.as_str()))
        .collect();
    assert_eq!(changed, [("worth", "100000 ppm", "50000 ppm"), ("active", "true", "false")]);
    assert_eq!(entries[0].target, "coupon/TEN");
    assert!(entries[0].changes.iter().all(|change| change.after.is_empty()));
}
