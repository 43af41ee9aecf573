//! What writing products does to stock: each way in leaves its rows in the ledger.

use sea_orm::ConnectionTrait;
use souk_catalog::Catalog;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::{LoadDemoShopRequest, ProductFields, WriteProductsRequest};
use souk_service::Service;

use crate::shop::{Shop, answer, named};
use crate::stock::rows;

crate::on_both! {
    a_new_product_opens_its_ledger
    writing_stock_is_a_count_of_what_can_be_bought
    bulk_writes_are_booked_each
    the_demo_shop_is_booked_and_says_nothing_of_low_stock
    what_was_there_before_the_ledger_opens_it
}

async fn a_new_product_opens_its_ledger(shop: &Shop) {
    shop.shelf("A", 7).await;
    shop.product("B", "1").await;
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 7)]));
    assert!(shop.ledger("B").await.is_empty());
    shop.is_sound().await;
}

async fn writing_stock_is_a_count_of_what_can_be_bought(shop: &Shop) {
    let a = shop.shelf("A", 7).await;
    let order = shop.held(&[(&a, 3)]).await;
    let fields =
        ProductFields { stock: Some(10), name: Some("Another".into()), ..Default::default() };
    let changed = shop.update("A", fields.clone()).await.unwrap();
    assert_eq!((changed.version, changed.stock, changed.stock_seq), (2, Some(10), 2));
    assert_eq!(shop.figures("A").await, (13, 3));
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 7), ("count", 6)]));
    let (_, told) = shop.events().await.pop().unwrap();
    assert!(told.changes.iter().any(|c| (c.old_value.as_str(), &*c.new_value) == ("4", "10")));
    // the same again: no change, no row
    let same = shop.update("A", fields).await.unwrap();
    assert_eq!((same.version, same.stock_seq), (2, 2));
    let nothing = ProductFields { stock: Some(0), ..Default::default() };
    shop.update("A", nothing).await.unwrap();
    assert_eq!(shop.figures("A").await, (3, 3));
    shop.commit(order).await.unwrap();
    assert_eq!(shop.figures("A").await, (0, 0));
    shop.is_sound().await;
}

async fn bulk_writes_are_booked_each(shop: &Shop) {
    shop.shelf("A", 7).await;
    shop.shelf("B", 7).await;
    let stock = |sku: &str, stock| ProductFields { stock: Some(stock), ..named(sku, "10") };
    let items = vec![stock("A", 2), stock("B", 7), stock("C", 20), stock("D", 0)];
    let request = WriteProductsRequest { items, ..Default::default() };
    answer(shop.products().write_products(request)).await.unwrap();
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 7), ("count", -5)]));
    assert_eq!(shop.ledger("B").await, rows(&[("initial", 7)]));
    assert_eq!(shop.ledger("C").await, rows(&[("initial", 20)]));
    assert!(shop.ledger("D").await.is_empty());
    shop.is_sound().await;
}

async fn the_demo_shop_is_booked_and_says_nothing_of_low_stock(shop: &Shop) {
    let mut client = TransferServiceClient::new(shop.operator());
    let loaded = answer(client.load_demo_shop(LoadDemoShopRequest {})).await.unwrap().products;
    let told = shop.told().await;
    assert_eq!(told.len(), usize::try_from(loaded).unwrap());
    let initial = shop.movements(souk_proto::catalog::v1::ListMovementsRequest::default()).await;
    assert!(!initial.is_empty() && initial.iter().all(|row| row.kind == "initial"));
    shop.is_sound().await;
}

async fn what_was_there_before_the_ledger_opens_it(shop: &Shop) {
    shop.shelf("A", 7).await;
    shop.shelf("B", 0).await;
    let db = shop.db();
    let migrations = Catalog::migrations()();
    let stock = migrations.iter().find(|m| m.name() == "m20261121_000002_catalog_stock").unwrap();
    let manager = sea_orm_migration::SchemaManager::new(db.write());
    stock.down(&manager).await.unwrap();
    db.write().execute_unprepared("UPDATE product SET on_hand = 9 WHERE sku = 'A'").await.unwrap();
    stock.up(&manager).await.unwrap();
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 9)]));
    assert!(shop.ledger("B").await.is_empty());
    shop.is_sound().await;
}
