//! What a write changes.
use std::collections::BTreeMap;

use chrono::DateTime;
use souk_values::{Currency, Money, ProductId, Sku};

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn phone() -> Product {
    let patch = Patch {
        name: Some("Nova 7".into()),
        price: Some(Money::new(39_900, Currency::EUR)),
        stock: Some(3),
        ..Patch::default()
    };
    create(ProductId::new(), Sku::parse("NOVA-7").unwrap(), &patch, at(0)).unwrap()
}

#[test]
fn name_and_price_are_needed() {
    let created =
        create(ProductId::new(), Sku::parse("A").unwrap(), &Patch::default(), at(0)).unwrap_err();
    assert_eq!(created, ["name", "price"]);
}

#[test]
fn an_update_says_old_and_new_and_counts_the_version() {
    let patch = Patch {
        price: Some(Money::new(34_900, Currency::EUR)),
        brand: Some("Orion".into()),
        ..Patch::default()
    };
    let (new, changes) = update(&phone(), &patch, at(60));
    let told: Vec<_> = changes.iter().map(|c| (c.field, c.old.as_str(), c.new.as_str())).collect();
    assert_eq!(told, [("price", "399.00 EUR", "349.00 EUR"), ("brand", "", "Orion")]);
    assert_eq!((new.version, new.updated_at), (2, at(60)));
    assert_eq!(new.stock_seq, 0);
}

#[test]
fn an_update_that_changes_nothing_is_none() {
    let phone = phone();
    let patch = Patch { name: Some("Nova 7".into()), stock: Some(3), ..Patch::default() };
    assert_eq!(update(&phone, &patch, at(60)), (phone, vec![]));
}

#[test]
fn a_count_leaves_what_is_promised_promised() {
    let mut phone = phone();
    phone.reserved = 2;
    let (new, changes) = update(&phone, &Patch { stock: Some(5), ..Patch::default() }, at(60));
    assert_eq!((new.on_hand, new.stock(), new.stock_seq), (7, Some(5), 1));
    assert_eq!((changes[0].old.as_str(), changes[0].new.as_str()), ("1", "5"));
}

#[test]
fn digital_goods_have_no_stock() {
    let patch = Patch { kind: Some(Kind::Digital), ..Patch::default() };
    let (new, _) = update(&phone(), &patch, at(60));
    assert_eq!(new.stock(), None);
}

#[test]
fn fields_have_bounds() {
    assert!(rules::name(" ").is_err());
    assert!(rules::name(&"x".repeat(301)).is_err());
    assert!(rules::name("a\0b").is_err());
    assert!(rules::description("two\nlines").is_ok());
    assert!(rules::stock(-1).is_err());
    assert!(rules::stock(1_000_000_001).is_err());
    assert!(rules::condition("broken").is_err());
    assert_eq!(rules::tags(&["a ".into(), "a".into(), "b".into()]).unwrap(), ["a", "b"]);
    assert!(rules::images(&["javascript:alert(1)".into()]).is_err());
    assert!(rules::images(&["//evil.example/x.png".into()]).is_err());
    assert!(rules::images(&["/api/images/x.png".into()]).is_ok());
    assert!(rules::attributes(&BTreeMap::from([(" ".into(), "x".into())])).is_err());
}
