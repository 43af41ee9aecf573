//! Filters and orders of product lists.

use chrono::TimeDelta;
use souk_proto::catalog::v1::{ListProductsRequest, ProductFields, ProductKind, StringList};

use crate::shop::{Shop, answer, broken_fields, named};

crate::on_both! {
    every_filter_finds_what_it_says
    filters_narrow_each_other
    signs_of_like_are_plain_characters
    texts_are_compared_without_case
    every_order_works_both_ways
    what_is_no_list_is_refused_with_every_reason
}

/// The SKUs of a list, in order.
pub(crate) async fn skus(shop: &Shop, request: ListProductsRequest) -> Vec<String> {
    let items = answer(shop.products().list_products(request)).await.unwrap().items;
    items.into_iter().map(|p| p.sku).collect()
}

fn sorted(request: ListProductsRequest) -> ListProductsRequest {
    ListProductsRequest { sort: "sku".into(), ..request }
}

fn tags(tags: &[&str]) -> Option<StringList> {
    Some(StringList { values: tags.iter().map(|t| (*t).into()).collect() })
}

async fn stock_up(shop: &Shop) {
    shop.category("phones").await.unwrap();
    shop.category("phones/used").await.unwrap();
    shop.category("phones-old").await.unwrap();
    let rows = [
        ("a", "3", "phones", "Orion", "new", 1, &["5g", "Best"][..]),
        ("b", "1", "phones/used", "Orion", "good", 0, &["5g"]),
        ("c", "2", "phones-old", "Vega", "", 5, &[]),
    ];
    for (sku, price, category, brand, condition, stock, words) in rows {
        let fields = ProductFields {
            category: Some(category.into()),
            brand: Some(brand.into()),
            condition: Some(condition.into()),
            stock: Some(stock),
            tags: tags(words),
            ..named(sku, price)
        };
        shop.create(fields).await.unwrap();
        shop.clock.advance(TimeDelta::seconds(1));
    }
    let kind = Some(ProductKind::Digital.into());
    let download = ProductFields {
        kind,
        description: Some("A manual for every phone".into()),
        ..named("d", "0")
    };
    shop.create(download).await.unwrap();
    shop.product("e", "9").await;
    shop.delete("e").await.unwrap();
}

async fn every_filter_finds_what_it_says(shop: &Shop) {
    stock_up(shop).await;
    let all = ListProductsRequest::default;
    for (name, request, expected) in [
        ("nothing", all(), "a b c d"),
        ("category", ListProductsRequest { category: "phones".into(), ..all() }, "a b"),
        ("child", ListProductsRequest { category: "phones/used".into(), ..all() }, "b"),
        ("no category", ListProductsRequest { category: "tablets".into(), ..all() }, ""),
        ("brand", ListProductsRequest { brand: "Orion".into(), ..all() }, "a b"),
        ("half a brand", ListProductsRequest { brand: "Ori".into(), ..all() }, ""),
        ("words", ListProductsRequest { text: "ORION product".into(), ..all() }, "a b"),
        ("description", ListProductsRequest { text: "manual".into(), ..all() }, "d"),
        ("tag words", ListProductsRequest { text: "best".into(), ..all() }, "a"),
        ("tag", ListProductsRequest { tags: vec!["5G".into()], ..all() }, "a b"),
        ("tags", ListProductsRequest { tags: vec!["5g".into(), "best".into()], ..all() }, "a"),
        ("min", ListProductsRequest { min_price_minor: Some(200), ..all() }, "a c"),
        ("max", ListProductsRequest { max_price_minor: Some(100), ..all() }, "b d"),
        ("in stock", ListProductsRequest { in_stock: Some(true), ..all() }, "a c d"),
        ("sold out", ListProductsRequest { in_stock: Some(false), ..all() }, "b"),
        ("active", ListProductsRequest { active: Some(true), ..all() }, "a b c d"),
        ("hidden", ListProductsRequest { active: Some(false), ..all() }, "e"),
        ("both", ListProductsRequest { include_hidden: true, ..all() }, "a b c d e"),
        ("digital", ListProductsRequest { kind: ProductKind::Digital.into(), ..all() }, "d"),
        ("condition", ListProductsRequest { condition: "good".into(), ..all() }, "b"),
    ] {
        assert_eq!(skus(shop, sorted(request)).await.join(" "), expected, "{name}");
    }
}

async fn filters_narrow_each_other(shop: &Shop) {
    stock_up(shop).await;
    let request = ListProductsRequest {
        category: "phones".into(),
        brand: "Orion".into(),
        text: "product".into(),
        tags: vec!["5g".into()],
        min_price_minor: Some(100),
        max_price_minor: Some(100),
        in_stock: Some(false),
        active: Some(true),
        kind: ProductKind::Physical.into(),
        condition: "good".into(),
        ..Default::default()
    };
    assert_eq!(skus(shop, request.clone()).await, ["b"]);
    assert!(skus(shop, ListProductsRequest { in_stock: Some(true), ..request }).await.is_empty());
}

async fn signs_of_like_are_plain_characters(shop: &Shop) {
    for sku in ["100% wool", "under_score", "back\\slash", "it's", "plain"] {
        shop.product(sku, "1").await;
    }
    for (text, expected) in [
        ("%", "100% wool"),
        ("_", "under_score"),
        ("\\", "back\\slash"),
        ("0%", "100% wool"),
        ("r_s", "under_score"),
        ("rXs", ""),
        ("'", "it's"),
        ("' OR 1=1 --", ""),
        ("%%", ""),
    ] {
        let request = ListProductsRequest { text: text.into(), ..Default::default() };
        assert_eq!(skus(shop, sorted(request)).await.join(" "), expected, "{text}");
    }
    shop.category("x-y").await.unwrap();
    let fields = ProductFields { category: Some("x-y".into()), ..named("in", "1") };
    shop.create(fields).await.unwrap();
    let request = ListProductsRequest { category: "x".into(), ..Default::default() };
    assert!(skus(shop, request).await.is_empty());
}

async fn texts_are_compared_without_case(shop: &Shop) {
    let fields = ProductFields {
        name: Some("ÄRZTE Straße".into()),
        tags: tags(&["ÜBER"]),
        ..named("a", "1")
    };
    shop.create(fields).await.unwrap();
    for text in ["ärzte", "STRAßE ÄRZTE", "über"] {
        let request = ListProductsRequest { text: text.into(), ..Default::default() };
        assert_eq!(skus(shop, request).await, ["a"], "{text}");
    }
    let request = ListProductsRequest { tags: vec!["Über".into()], ..Default::default() };
    assert_eq!(skus(shop, request).await, ["a"]);
}

async fn every_order_works_both_ways(shop: &Shop) {
    // made in the order b, c, a; changed in the order c, b, a
    for (sku, price) in [("b", "3"), ("c", "1"), ("a", "2")] {
        let fields = ProductFields { name: Some(format!("x{price}")), ..named(sku, price) };
        shop.create(fields).await.unwrap();
        shop.clock.advance(TimeDelta::seconds(1));
    }
    for sku in ["c", "b", "a"] {
        let fields = ProductFields { stock: Some(7), ..Default::default() };
        shop.update(sku, fields).await.unwrap();
        shop.clock.advance(TimeDelta::seconds(1));
    }
    for (sort, expected) in [
        ("", "a c b"),
        ("-created_at", "a c b"),
        ("created_at", "b c a"),
        ("updated_at", "c b a"),
        ("-updated_at", "a b c"),
        ("price", "c a b"),
        ("-price", "b a c"),
        ("name", "c a b"),
        ("-name", "b a c"),
        ("sku", "a b c"),
        ("-sku", "c b a"),
    ] {
        let request = ListProductsRequest { sort: sort.into(), ..Default::default() };
        assert_eq!(skus(shop, request).await.join(" "), expected, "{sort:?}");
    }
}

async fn what_is_no_list_is_refused_with_every_reason(shop: &Shop) {
    let request = ListProductsRequest {
        page: Some(souk_proto::types::v1::PageRequest { limit: 101, cursor: String::new() }),
        category: "No Slug".into(),
        text: "a b c d e f g h i j k".into(),
        brand: "nul\0".into(),
        min_price_minor: Some(2),
        max_price_minor: Some(1),
        sort: "weight".into(),
        ..Default::default()
    };
    let mut named = broken_fields(answer(shop.products().list_products(request)).await);
    named.sort();
    assert_eq!(named, ["brand", "category", "limit", "min_price", "sort", "text"]);
}
