//! Low stock is told once, until there is more again.

use souk_proto::catalog::v1::{ProductFields, StringMap};
use souk_proto::events::v1::StockLow;
use souk_values::OrderId;

use crate::shop::{Shop, broken_fields, named};

crate::on_both! {
    low_stock_is_told_once_until_it_rose
    a_product_has_a_threshold_of_its_own_by_an_attribute
    what_is_made_low_is_not_told
    a_count_may_bring_stock_low
    reserving_counts_as_much_as_selling
    a_threshold_that_is_none_is_refused
}

async fn lows(shop: &Shop) -> Vec<(u64, StockLow)> {
    let told = shop.told().await.into_iter();
    told.filter(|e| e.event_type == "souk.catalog.stock.low.v1")
        .map(|e| (e.version, e.decode().unwrap()))
        .collect()
}

async fn available(shop: &Shop) -> Vec<i64> {
    lows(shop).await.into_iter().map(|(_, low)| low.available).collect()
}

fn attribute(value: &str) -> Option<StringMap> {
    let values = [("low_stock_at".to_owned(), value.to_owned())].into_iter().collect();
    Some(StringMap { values })
}

async fn low_stock_is_told_once_until_it_rose(shop: &Shop) {
    let a = shop.shelf("A", 8).await;
    shop.move_stock("A", "adjust", -2).await.unwrap();
    assert!(lows(shop).await.is_empty());
    shop.move_stock("A", "adjust", -1).await.unwrap();
    shop.move_stock("A", "adjust", -1).await.unwrap();
    let expected = StockLow {
        product_id: a.id.clone(),
        sku: "A".into(),
        name: "Product A".into(),
        available: 5,
        threshold: 5,
        slug: "product-a".into(),
    };
    assert_eq!(lows(shop).await, [(1, expected.clone())]);
    // up, but not above
    shop.move_stock("A", "receive", 1).await.unwrap();
    shop.move_stock("A", "adjust", -1).await.unwrap();
    assert_eq!(available(shop).await, [5]);
    shop.move_stock("A", "receive", 2).await.unwrap();
    shop.move_stock("A", "adjust", -6).await.unwrap();
    assert_eq!(lows(shop).await[1], (2, StockLow { available: 0, ..expected }));
    shop.is_sound().await;
}

async fn a_product_has_a_threshold_of_its_own_by_an_attribute(shop: &Shop) {
    let fields = |sku: &str, at: &str| ProductFields {
        stock: Some(30),
        attributes: attribute(at),
        ..named(sku, "1")
    };
    shop.create(fields("A", "20")).await.unwrap();
    shop.create(fields("B", "0")).await.unwrap();
    assert_eq!(shop.on_shelf("A").await.low_at, Some(20));
    assert_eq!(shop.on_shelf("B").await.low_at, Some(0));
    for sku in ["A", "B"] {
        shop.move_stock(sku, "count", 19).await.unwrap();
        shop.move_stock(sku, "count", 0).await.unwrap();
    }
    let told = lows(shop).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].1.sku.as_str(), told[0].1.threshold), ("A", 20));
}

async fn what_is_made_low_is_not_told(shop: &Shop) {
    let a = shop.shelf("A", 2).await;
    assert!(lows(shop).await.is_empty());
    shop.reserve(OrderId::new(), &[(&a, 1)]).await.unwrap();
    assert_eq!(available(shop).await, [1]);
}

async fn a_count_may_bring_stock_low(shop: &Shop) {
    shop.shelf("A", 10).await;
    let fields = ProductFields { stock: Some(4), ..Default::default() };
    shop.update("A", fields).await.unwrap();
    assert_eq!(available(shop).await, [4]);
    shop.is_sound().await;
}

async fn reserving_counts_as_much_as_selling(shop: &Shop) {
    let a = shop.shelf("A", 10).await;
    let first = shop.held(&[(&a, 4)]).await;
    let second = shop.held(&[(&a, 1)]).await;
    assert_eq!(available(shop).await, [5]);
    // what was held is sold: nothing new
    shop.commit(first).await.unwrap();
    shop.commit(second).await.unwrap();
    assert_eq!(available(shop).await, [5]);
    shop.release(first).await.unwrap();
    shop.held(&[(&a, 6)]).await;
    assert_eq!(available(shop).await, [5, 3]);
    shop.is_sound().await;
}

async fn a_threshold_that_is_none_is_refused(shop: &Shop) {
    for value in ["many", "-1", "1.5", "", "1000000001"] {
        let fields = ProductFields { attributes: attribute(value), ..named("A", "1") };
        assert_eq!(broken_fields(shop.create(fields).await), ["attributes"], "{value}");
    }
}
