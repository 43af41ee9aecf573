//! Asking what is broken without writing.

use souk_proto::catalog::v1::{CreateProductRequest, Product, ProductFields, UpdateProductRequest};
use souk_rpc::{Failure, Kind};

use crate::shop::{Shop, answer, broken_fields, named, refusal};

crate::on_both! {
    a_check_names_what_is_broken_and_what_is_missing
    a_check_of_what_is_in_order_writes_nothing
    a_check_of_an_update_needs_nothing_but_the_product
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
