//! Asking what is broken without writing.

use souk_proto::catalog::v1::{
    CreateProductRequest, Product, ProductFields, UpdateProductRequest, WriteProductsRequest,
};
use souk_rpc::{Failure, Kind};

use crate::shop::{Shop, answer, broken_fields, named, refusal};

crate::on_both! {
    a_check_names_what_is_broken_and_what_is_missing
    a_check_of_what_is_in_order_writes_nothing
    a_check_of_an_update_needs_nothing_but_the_product
    items_that_are_only_checked_are_not_written
    all_that_is_broken_in_an_item_is_named
}

async fn create(shop: &Shop, fields: ProductFields) -> Result<Product, Failure> {
    let idempotency_key = "k".to_owned();
    let request = CreateProductRequest { fields: Some(fields), idempotency_key, check_only: true };
    answer(shop.products().create_product(request)).await
}

async fn update(shop: &Shop, key: &str, fields: ProductFields) -> Result<Product, Failure> {
    let (key, fields) = (key.to_owned(), Some(fields));
    let request = UpdateProductRequest { key, fields, check_only: true, ..Default::default() };
    answer(shop.products().update_product(request)).await
}

async fn a_check_names_what_is_broken_and_what_is_missing(shop: &Shop) {
    let fields =
        ProductFields { stock: Some(-1), category: Some("nowhere".into()), ..Default::default() };
    assert_eq!(broken_fields(create(shop, fields).await), ["stock", "name", "price", "category"]);
    let fields = ProductFields { category: Some("nowhere".into()), ..named("A", "1") };
    assert_eq!(broken_fields(create(shop, fields).await), ["category"]);
}

async fn a_check_of_what_is_in_order_writes_nothing(shop: &Shop) {
    assert_eq!(create(shop, named("A", "1")).await.unwrap(), Product::default());
    assert_eq!(refusal(shop.get("A").await).0, Kind::NotFound);
    shop.product("A", "1").await;
    assert_eq!(update(shop, "A", named("A", "2")).await.unwrap(), Product::default());
    assert_eq!(shop.get("A").await.unwrap().version, 1);
    assert_eq!(shop.events().await.len(), 1);
}

async fn a_check_of_an_update_needs_nothing_but_the_product(shop: &Shop) {
    shop.product("A", "1").await;
    let fields = ProductFields {
        sku: Some("B".into()),
        price: Some("-1".into()),
        category: Some("nowhere".into()),
        ..Default::default()
    };
    assert_eq!(broken_fields(update(shop, "A", fields).await), ["price", "sku", "category"]);
    let unknown = update(shop, "B", ProductFields::default()).await;
    assert_eq!(refusal(unknown), (Kind::NotFound, "product_not_found".to_owned()));
}

/// Outcome and broken fields of each item.
async fn write(
    shop: &Shop,
    items: Vec<ProductFields>,
    check_only: Vec<u32>,
) -> Vec<(String, Vec<String>)> {
    let request = WriteProductsRequest { items, check_only };
    let answer = answer(shop.products().write_products(request)).await.unwrap();
    let item = |result: souk_proto::catalog::v1::WriteResult| {
        (result.outcome, result.errors.into_iter().map(|e| e.field).collect())
    };
    answer.results.into_iter().map(item).collect()
}

fn seen(outcome: &str, broken: &[&str]) -> (String, Vec<String>) {
    (outcome.to_owned(), broken.iter().map(|field| (*field).to_owned()).collect())
}

async fn items_that_are_only_checked_are_not_written(shop: &Shop) {
    shop.product("there", "1").await;
    let items = vec![
        named("A", "1"),
        named("B", "1"),
        named("there", "2"),
        ProductFields { stock: Some(-1), ..named("C", "1") },
        // written once, whatever is only checked
        named("B", "1"),
    ];
    let found = write(shop, items, vec![1, 2, 3, 9]).await;
    let checked = || seen("checked", &[]);
    let failed = seen("failed", &["stock"]);
    assert_eq!(found, [seen("created", &[]), checked(), checked(), failed, seen("created", &[])]);
    assert_eq!(shop.get("there").await.unwrap().version, 1);
    assert_eq!(refusal(shop.get("C").await).0, Kind::NotFound);
    assert_eq!(shop.events().await.len(), 3);
}

async fn all_that_is_broken_in_an_item_is_named(shop: &Shop) {
    shop.product("there", "1").await;
    let wrong = |sku: Option<&str>| ProductFields {
        sku: sku.map(str::to_owned),
        stock: Some(-1),
        category: Some("nowhere".into()),
        ..Default::default()
    };
    let items = vec![wrong(Some("new")), wrong(Some("there")), wrong(None)];
    let found = write(shop, items, Vec::new()).await;
    assert_eq!(
        found,
        [
            seen("failed", &["stock", "name", "price", "category"]),
            seen("failed", &["stock", "category"]),
            seen("failed", &["stock", "sku", "category"]),
        ]
    );
}
