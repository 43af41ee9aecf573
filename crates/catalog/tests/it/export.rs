//! Product files out, and in again.

use std::collections::BTreeMap;

use souk_proto::catalog::v1::{ImportOptions, OptionalText, ProductFields};

use crate::files::counts;
use crate::product::everything;
use crate::shop::{Shop, named};

crate::on_both! {
    an_export_read_again_changes_nothing
    an_export_rebuilds_the_shop_elsewhere
    hidden_products_leave_only_when_asked_for
    an_empty_shop_exports_a_header
}

async fn stock_up(shop: &Shop) {
    shop.category("phones").await.unwrap();
    shop.category("phones/refurbished").await.unwrap();
    shop.create(everything()).await.unwrap();
    let yen = ProductFields {
        currency: Some("JPY".into()),
        old_price: Some(OptionalText { text: Some("2000".into()) }),
        ..named("=cmd()", "1500")
    };
    shop.create(yen).await.unwrap();
    for n in 0..250 {
        shop.product(&format!("bulk {n}"), "1.99").await;
    }
    shop.delete("bulk 7").await.unwrap();
}

async fn an_export_read_again_changes_nothing(shop: &Shop) {
    stock_up(shop).await;
    let events = shop.events().await.len();
    let file = shop.export(true).await;
    assert_eq!(file.matches("Variant SKU").count(), 1);
    let job = shop.import_as(ImportOptions::default(), file.as_bytes()).await;
    assert_eq!(counts(&job), BTreeMap::from([("unchanged", 252)]));
    assert_eq!(shop.export(true).await, file);
    assert_eq!(shop.events().await.len(), events);
}

async fn an_export_rebuilds_the_shop_elsewhere(shop: &Shop) {
    stock_up(shop).await;
    let file = shop.export(true).await;
    let other = Shop::sqlite().await;
    let job = other.import(&file).await;
    assert_eq!(counts(&job), BTreeMap::from([("created", 252)]));
    // ids differ, and with them the order
    let lines = |file: String| {
        let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(other.export(true).await), lines(file));
    other.close().await;
}

async fn hidden_products_leave_only_when_asked_for(shop: &Shop) {
    shop.product("A", "1").await;
    shop.product("B", "1").await;
    shop.delete("A").await.unwrap();
    assert_eq!(shop.export(false).await.lines().count(), 2);
    assert_eq!(shop.export(true).await.lines().count(), 3);
}

async fn an_empty_shop_exports_a_header(shop: &Shop) {
    let file = shop.export(true).await;
    assert_eq!(file.lines().count(), 1);
    assert!(file.starts_with("Handle,Variant SKU,Title"), "{file}");
}
