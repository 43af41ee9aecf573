//! Quotes with the real catalogue and the real address book.
use souk_proto::accounts::v1::{CreateAddressRequest, CustomerAddress};
use souk_proto::catalog::v1::{
    DeleteProductRequest, OptionalText, ProductFields, UpdateProductRequest,
};
use souk_proto::orders::v1 as pb;
use souk_rpc::{Failure, Kind};

use super::house::{Shop, answer, answer_as, broken_fields, refusal};
use super::{on_both, parcel, ten_percent};

on_both! {
    without_rules_the_total_is_the_sum_of_the_lines
    tax_shipping_and_coupon_are_in_the_quote
    prices_without_tax_get_it_on_top
    a_shipping_method_is_chosen_or_found
    what_the_buyer_did_not_see_is_refused_with_what_changed
    a_coupon_counts_or_says_why_not
    addresses_come_from_the_body_or_from_the_book
    everything_broken_in_a_checkout_is_named_and_no_card_number_passes
    other_currencies_have_other_decimals
}

fn plain() -> pb::CheckoutRequest {
    pb::CheckoutRequest::default()
}

fn to(country: &str) -> pb::CheckoutRequest {
    let address = pb::Address {
        name: "Ann Lee".into(),
        line1: "1 Main Street".into(),
        city: "Somewhere".into(),
        country: country.into(),
        ..pb::Address::default()
    };
    pb::CheckoutRequest { shipping_address: Some(address), ..plain() }
}

fn with_coupon(code: &str) -> pb::CheckoutRequest {
    pb::CheckoutRequest { coupon: code.to_owned(), ..plain() }
}

fn by(method: &str) -> pb::CheckoutRequest {
    pb::CheckoutRequest { shipping_method: method.to_owned(), ..plain() }
}

impl Shop {
    async fn quoted(&self, token: &str, checkout: pb::CheckoutRequest) -> pb::Quote {
        let quote = self.quote(token, checkout).await.unwrap().quote.unwrap();
        let lines: i64 = quote.lines.iter().map(|line| line.total_minor).sum();
        assert_eq!(lines + quote.shipping_minor, quote.total_minor, "{quote:?}");
        quote
    }

    async fn change_product(&self, key: &str, fields: ProductFields) {
        let request = UpdateProductRequest {
            key: key.to_owned(),
            fields: Some(fields),
            ..UpdateProductRequest::default()
        };
        answer(self.products().update_product(request)).await.unwrap();
    }
}

fn refused(failure: &Failure, code: &str) {
    assert_eq!((failure.kind, failure.reason.as_str()), (Kind::Conflict, code), "{failure:?}");
}

fn fact<'a>(failure: &'a Failure, name: &str) -> &'a str {
    failure.metadata.get(name).map(String::as_str).unwrap_or_default()
}

async fn without_rules_the_total_is_the_sum_of_the_lines(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("A-1", "19.99", "EUR", &[("weight_g", "500")]).await;
    shop.product("E-1", "5.01", "EUR", &[("digital", "")]).await;
    assert_eq!(refusal(shop.quote(&ann, plain()).await), (Kind::Conflict, "cart_empty".into()));
    shop.add(&ann, "A-1", 2).await;
    let cart = shop.add(&ann, "E-1", 3).await;
    let answer = shop.quote(&ann, plain()).await.unwrap();
    assert_eq!((answer.cart_version, answer.shipping_choices.len()), (cart.version, 0));
    let quote = answer.quote.unwrap();
    assert_eq!(quote.currency, "EUR");
    assert_eq!((quote.subtotal_minor, quote.total_minor), (5_501, 5_501));
    assert_eq!((quote.discount_minor, quote.shipping_minor, quote.tax_minor), (0, 0, 0));
    assert_eq!((quote.shipping_method.as_str(), quote.coupon.as_str()), ("", ""));
    let told: Vec<_> =
        quote.lines.iter().map(|l| (l.sku.as_str(), l.quantity, l.total_minor, &*l.kind)).collect();
    assert_eq!(told, [("A-1", 2, 3_998, "physical"), ("E-1", 3, 1_503, "digital")]);
}

async fn tax_shipping_and_coupon_are_in_the_quote(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("A-1", "119.00", "EUR", &[]).await;
    shop.product("B-1", "10.70", "EUR", &[("tax_class", "reduced")]).await;
    shop.put_rate("DE", "standard", 190_000, None).await.unwrap();
    shop.put_rate("DE", "reduced", 70_000, None).await.unwrap();
    shop.put_method(parcel(), None).await.unwrap();
    shop.put_coupon(ten_percent(), None).await.unwrap();
    shop.add(&ann, "A-1", 1).await;
    shop.add(&ann, "B-1", 1).await;

    let quote = shop.quoted(&ann, to("DE")).await;
    let taxes: Vec<i64> = quote.lines.iter().map(|l| l.tax_minor).collect();
    assert_eq!((taxes, quote.shipping_tax_minor, quote.tax_minor), (vec![1_900, 70], 78, 2_048));
    assert_eq!((quote.shipping_minor, quote.total_minor), (490, 13_460));
    assert_eq!((quote.shipping_method.as_str(), &*quote.shipping_name), ("parcel", "Parcel"));

    let checkout = pb::CheckoutRequest { coupon: " ten".into(), ..to("DE") };
    let quote = shop.quoted(&ann, checkout).await;
    let shares: Vec<i64> = quote.lines.iter().map(|l| l.discount_minor).collect();
    assert_eq!((quote.discount_minor, shares), (1_297, vec![1_190, 107]));
    assert_eq!((quote.coupon.as_str(), quote.total_minor), ("TEN", 12_163));

    // a country without rates; and with those of elsewhere
    assert_eq!(shop.quoted(&ann, to("US")).await.tax_minor, 0);
    shop.put_rate("*", "standard", 100_000, None).await.unwrap();
    let quote = shop.quoted(&ann, to("US")).await;
    let rates: Vec<u32> = quote.lines.iter().map(|l| l.tax_rate_ppm).collect();
    assert_eq!((rates, quote.shipping_tax_minor), (vec![100_000, 0], 45));
    // without an address: the shop's own country
    shop.put_settings(true, "DE", None).await.unwrap();
    assert_eq!(shop.quoted(&ann, plain()).await.tax_minor, 2_048);
    // the bill's country decides where goods have none
    let billed = pb::CheckoutRequest { billing_address: to("US").shipping_address, ..plain() };
    assert_eq!(shop.quoted(&ann, billed).await.shipping_tax_minor, 45);
}

async fn prices_without_tax_get_it_on_top(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("A-1", "100.00", "EUR", &[]).await;
    shop.put_rate("DE", "standard", 190_000, None).await.unwrap();
    shop.put_rate("DE", "shipping", 70_000, None).await.unwrap();
    shop.put_settings(false, "DE", None).await.unwrap();
    shop.put_method(parcel(), None).await.unwrap();
    let free = pb::Coupon { code: "SHIP".into(), kind: "free_shipping".into(), ..ten_percent() };
    shop.put_coupon(free, None).await.unwrap();
    shop.add(&ann, "A-1", 1).await;
    let quote = shop.quoted(&ann, plain()).await;
    assert!(!quote.prices_include_tax);
    assert_eq!((quote.lines[0].tax_minor, quote.lines[0].total_minor), (1_900, 11_900));
    assert_eq!((quote.shipping_minor, quote.shipping_tax_minor), (524, 34));
    assert_eq!((quote.subtotal_minor, quote.total_minor), (10_000, 12_424));
    let answer = shop.quote(&ann, with_coupon("ship")).await.unwrap();
    assert_eq!(answer.shipping_choices[0].price_minor, 0);
    let quote = answer.quote.unwrap();
    assert_eq!((quote.shipping_minor, quote.total_minor), (0, 11_900));
}

async fn a_shipping_method_is_chosen_or_found(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("A-1", "10.00", "EUR", &[("weight_g", "900")]).await;
    shop.product("E-1", "5.00", "EUR", &[("digital", "")]).await;
    let express = pb::ShippingMethod {
        code: "express".into(),
        name: "Express".into(),
        price_minor: 990,
        free_above_minor: Some(5_000),
        ..parcel()
    };
    let light = pb::ShippingMethod {
        code: "light".into(),
        name: "Light".into(),
        kind: "by_weight".into(),
        price_minor: 200,
        step_price_minor: 150,
        step_g: 1_000,
        max_weight_g: Some(2_000),
        countries: vec!["DE".into()],
        ..parcel()
    };
    let old = pb::ShippingMethod { code: "old".into(), price_minor: 0, active: false, ..parcel() };
    for method in [parcel(), express, light, old] {
        shop.put_method(method, None).await.unwrap();
    }
    shop.add(&ann, "A-1", 2).await;
    let chosen = |answer: pb::QuoteResponse| {
        let quote = answer.quote.unwrap();
        (quote.shipping_method, quote.shipping_minor)
    };
    let choices = |answer: &pb::QuoteResponse| -> Vec<(String, i64)> {
        answer.shipping_choices.iter().map(|c| (c.code.clone(), c.price_minor)).collect()
    };
    let row = |code: &str, price| (code.to_owned(), price);
    // to Germany the light one is the cheapest: two begun steps
    let answer = shop.quote(&ann, to("DE")).await.unwrap();
    assert_eq!(choices(&answer), [row("light", 350), row("parcel", 490), row("express", 990)]);
    assert_eq!(chosen(answer), row("light", 350));
    // it is not offered where nobody said the country
    let answer = shop.quote(&ann, plain()).await.unwrap();
    assert_eq!(choices(&answer), [row("parcel", 490), row("express", 990)]);
    let checkout = pb::CheckoutRequest { shipping_method: "express".into(), ..to("DE") };
    assert_eq!(chosen(shop.quote(&ann, checkout).await.unwrap()), row("express", 990));

    assert_eq!(broken_fields(shop.quote(&ann, by("light")).await), ["shipping_address"]);
    let abroad = pb::CheckoutRequest { shipping_method: "light".into(), ..to("US") };
    assert_eq!(broken_fields(shop.quote(&ann, abroad).await), ["shipping_method"]);
    for bad in ["old", "drone"] {
        assert_eq!(broken_fields(shop.quote(&ann, by(bad)).await), ["shipping_method"], "{bad}");
    }
    // from 50.00 on express is free; the light one does not carry so much
    shop.add(&ann, "A-1", 3).await;
    let answer = shop.quote(&ann, to("DE")).await.unwrap();
    assert_eq!(choices(&answer), [row("express", 0), row("parcel", 490)]);

    // digital goods are not shipped, whatever there is
    shop.clear(&ann).await;
    shop.add(&ann, "E-1", 1).await;
    for checkout in [plain(), to("US"), by("light")] {
        let answer = shop.quote(&ann, checkout).await.unwrap();
        assert_eq!((choices(&answer), chosen(answer)), (Vec::new(), row("", 0)));
    }
    // only where it goes to Germany
    shop.clear(&ann).await;
    shop.add(&ann, "A-1", 1).await;
    for code in ["parcel", "express"] {
        let request =
            pb::DeleteRuleRequest { key: code.to_owned(), ..pb::DeleteRuleRequest::default() };
        super::house::answer(shop.rules().delete_shipping_method(request)).await.unwrap();
    }
    assert_eq!(broken_fields(shop.quote(&ann, plain()).await), ["shipping_address"]);
    refused(&shop.quote(&ann, to("US")).await.unwrap_err(), "no_shipping_method");
    assert_eq!(chosen(shop.quote(&ann, to("DE")).await.unwrap()), row("light", 200));
}

async fn what_the_buyer_did_not_see_is_refused_with_what_changed(shop: &Shop) {
    let ann = shop.customer("ann").await;
    let product = shop.product("A-1", "10.00", "EUR", &[]).await;
    let cart = shop.add(&ann, "A-1", 2).await;
    let seen = |version| pb::CheckoutRequest { cart_version: Some(version), ..plain() };
    assert!(shop.quote(&ann, seen(cart.version)).await.is_ok());
    let other = shop.quote(&ann, seen(cart.version + 1)).await.unwrap_err();
    refused(&other, "cart_changed");
    assert_eq!(fact(&other, "cart_version"), cart.version.to_string());

    let dearer = ProductFields {
        price: Some("11.50".into()),
        old_price: Some(OptionalText::default()),
        ..ProductFields::default()
    };
    shop.change_product("A-1", dearer).await;
    let changed = shop.quote(&ann, plain()).await.unwrap_err();
    refused(&changed, "price_changed");
    assert_eq!(fact(&changed, "product_id"), product.id);
    assert_eq!(
        (fact(&changed, "unit_price"), fact(&changed, "old_unit_price")),
        ("11.50", "10.00")
    );

    // what was seen since is what is charged
    shop.clear(&ann).await;
    shop.add(&ann, "A-1", 2).await;
    assert_eq!(shop.quoted(&ann, plain()).await.total_minor, 2_300);
    shop.change_product("A-1", ProductFields { stock: Some(1), ..Default::default() }).await;
    let short = shop.quote(&ann, plain()).await.unwrap_err();
    refused(&short, "out_of_stock");
    assert_eq!((fact(&short, "available"), fact(&short, "sku")), ("1", "A-1"));
    let request = DeleteProductRequest { key: "A-1".into(), expected_version: None };
    answer(shop.products().delete_product(request)).await.unwrap();
    refused(&shop.quote(&ann, plain()).await.unwrap_err(), "product_gone");
}

async fn a_coupon_counts_or_says_why_not(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("A-1", "10.00", "EUR", &[]).await;
    shop.add(&ann, "A-1", 1).await;
    let now = shop.clock.now_us();
    let of = |code: &str| pb::Coupon { code: code.into(), ..ten_percent() };
    for coupon in [
        pb::Coupon { active: false, ..of("INACTIVE") },
        pb::Coupon { starts_at_us: now + 1, ..of("EARLY") },
        pb::Coupon { ends_at_us: now, ..of("LATE") },
        pb::Coupon { minimum_minor: Some(1_001), ..of("MINIMUM") },
        pb::Coupon { minimum_minor: Some(1), currency: "USD".into(), ..of("DOLLARS") },
        pb::Coupon { kind: "amount".into(), amount_minor: 5_000, ..of("FIFTY") },
    ] {
        shop.put_coupon(coupon, None).await.unwrap();
    }
    for (code, why) in [
        ("INACTIVE", "coupon_inactive"),
        ("EARLY", "coupon_not_started"),
        ("LATE", "coupon_expired"),
        ("MINIMUM", "coupon_minimum"),
        ("DOLLARS", "coupon_currency"),
    ] {
        refused(&shop.quote(&ann, with_coupon(code)).await.unwrap_err(), why);
    }
    for code in ["NONE", "A B", "?"] {
        assert_eq!(broken_fields(shop.quote(&ann, with_coupon(code)).await), ["coupon"], "{code}");
    }
    let quote = shop.quoted(&ann, with_coupon("fifty")).await;
    assert_eq!((quote.discount_minor, quote.total_minor), (1_000, 0));
    // a quote uses nothing up
    let request = pb::GetCouponRequest { code: "FIFTY".into() };
    assert_eq!(answer(shop.rules().get_coupon(request)).await.unwrap().used, 0);
}

async fn addresses_come_from_the_body_or_from_the_book(shop: &Shop) {
    let (ann, ben) = (shop.customer("ann").await, shop.customer("ben").await);
    shop.product("A-1", "11.90", "EUR", &[]).await;
    shop.put_rate("DE", "standard", 190_000, None).await.unwrap();
    shop.add(&ann, "A-1", 1).await;
    shop.add(&ben, "A-1", 1).await;
    let home = CustomerAddress {
        name: "Ann Lee".into(),
        line1: "1 Main Street".into(),
        city: "Berlin".into(),
        country: "DE".into(),
        ..CustomerAddress::default()
    };
    let request = CreateAddressRequest { address: Some(home) };
    let kept = answer_as(&ann, shop.addresses().create_address(request)).await.unwrap();
    let at = |id: &str| pb::CheckoutRequest { shipping_address_id: id.into(), ..plain() };
    assert_eq!(shop.quoted(&ann, at(&kept.id)).await.tax_minor, 190);
    // somebody else's is none
    let field = ["shipping_address_id"];
    assert_eq!(broken_fields(shop.quote(&ben, at(&kept.id)).await), field);
    assert_eq!(broken_fields(shop.quote(&ann, at("adr_1")).await), field);
    let both = pb::CheckoutRequest { shipping_address_id: kept.id.clone(), ..to("DE") };
    assert_eq!(broken_fields(shop.quote(&ann, both).await), field);
    let billed = pb::CheckoutRequest { billing_address_id: kept.id, ..plain() };
    assert_eq!(shop.quoted(&ann, billed).await.tax_minor, 190);
}

async fn everything_broken_in_a_checkout_is_named_and_no_card_number_passes(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("A-1", "10.00", "EUR", &[]).await;
    shop.add(&ann, "A-1", 1).await;
    let mut checkout = to("Germany");
    if let Some(address) = &mut checkout.shipping_address {
        address.line1 = "x".repeat(100_000);
        address.line2 = "card 4242 4242 4242 4242".into();
    }
    checkout.note = "please charge 5555-5555-5555-4444".into();
    checkout.coupon = "4111111111111111".into();
    let failure = shop.quote(&ann, checkout).await.unwrap_err();
    assert!(!format!("{failure:?}").contains("4242"));
    let fields: Vec<&str> = failure.violations.iter().map(|v| v.field.as_str()).collect();
    let expected = [
        "shipping_address.line1",
        "shipping_address.line2",
        "shipping_address.country",
        "coupon",
        "note",
    ];
    assert_eq!(fields, expected);
}

async fn other_currencies_have_other_decimals(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("J-1", "105", "JPY", &[]).await;
    shop.product("K-1", "1.234", "KWD", &[]).await;
    shop.put_rate("*", "standard", 100_000, None).await.unwrap();
    shop.put_settings(false, "", None).await.unwrap();
    // a method in euros ships nothing that is paid in yen
    shop.put_method(parcel(), None).await.unwrap();
    shop.add(&ann, "J-1", 1).await;
    refused(&shop.quote(&ann, plain()).await.unwrap_err(), "no_shipping_method");
    let yen = pb::ShippingMethod {
        code: "yen".into(),
        currency: "JPY".into(),
        price_minor: 500,
        ..parcel()
    };
    shop.put_method(yen, None).await.unwrap();
    let quote = shop.quoted(&ann, plain()).await;
    assert_eq!((quote.currency.as_str(), quote.total_minor), ("JPY", 116 + 550));
    shop.clear(&ann).await;
    let dinar = pb::ShippingMethod {
        code: "dinar".into(),
        currency: "KWD".into(),
        price_minor: 250,
        ..parcel()
    };
    shop.put_method(dinar, None).await.unwrap();
    shop.add(&ann, "K-1", 2).await;
    let quote = shop.quoted(&ann, plain()).await;
    assert_eq!((quote.currency.as_str(), quote.tax_minor), ("KWD", 247 + 25));
    assert_eq!(quote.total_minor, 2_468 + 247 + 275);
}
