//! A repeated request with its key.

use std::collections::HashMap;

use chrono::TimeDelta;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{CreateProductRequest, Product, ProductFields, StringMap};
use souk_rpc::{Failure, Kind};

use crate::shop::{Shop, answer, answer_as, named, refusal};

crate::on_both! {
    the_same_key_with_the_same_request_answers_the_same_product
    the_same_key_with_another_request_is_refused
    a_key_belongs_to_its_caller
    a_key_is_forgotten_after_a_day
    a_refused_request_does_not_use_up_its_key
    twenty_at_once_with_one_key_make_one_product
}

async fn create(shop: &Shop, key: &str, fields: ProductFields) -> Result<Product, Failure> {
    answer(shop.products().create_product(request(key, fields))).await
}

fn request(key: &str, fields: ProductFields) -> CreateProductRequest {
    let idempotency_key = key.to_owned();
    CreateProductRequest { fields: Some(fields), idempotency_key, ..Default::default() }
}

async fn the_same_key_with_the_same_request_answers_the_same_product(shop: &Shop) {
    let fields = || {
        let pairs = ["a", "b", "c", "d", "e", "f"].map(|k| (k.to_owned(), k.to_owned()));
        let attributes = Some(StringMap { values: HashMap::from(pairs) });
        ProductFields { attributes, ..named("A", "1") }
    };
    let first = create(shop, "k1", fields()).await.unwrap();
    let price = ProductFields { price: Some("2".into()), ..Default::default() };
    shop.update("A", price).await.unwrap();
    // the answer of then, though the product has changed since
    for _ in 0..5 {
        assert_eq!(create(shop, "k1", fields()).await.unwrap(), first);
    }
    assert_eq!(shop.events().await.len(), 2);
    let without_sku = || ProductFields { sku: None, ..named("B", "1") };
    let made = create(shop, "k2", without_sku()).await.unwrap();
    assert_eq!(create(shop, "k2", without_sku()).await.unwrap().id, made.id);
    assert_ne!(create(shop, "k3", without_sku()).await.unwrap().id, made.id);
}

async fn the_same_key_with_another_request_is_refused(shop: &Shop) {
    create(shop, "k", named("A", "1")).await.unwrap();
    let other = create(shop, "k", named("A", "2")).await;
    assert_eq!(refusal(other), (Kind::Invalid, "idempotency_key_reused".to_owned()));
    assert_eq!(shop.events().await.len(), 1);
}

async fn a_key_belongs_to_its_caller(shop: &Shop) {
    create(shop, "k", named("A", "1")).await.unwrap();
    let (token, _) = shop.token(&["products.write"]);
    let mut client = ProductServiceClient::new(shop.neighbor("gateway"));
    let call = client.create_product(request("k", named("B", "1")));
    assert_eq!(answer_as(&token, call).await.unwrap().sku, "B");
}

async fn a_key_is_forgotten_after_a_day(shop: &Shop) {
    create(shop, "k", named("A", "1")).await.unwrap();
    shop.clock.advance(TimeDelta::hours(25));
    assert_eq!(refusal(create(shop, "k", named("A", "1")).await).1, "sku_taken");
    assert_eq!(create(shop, "k", named("B", "1")).await.unwrap().sku, "B");
}

async fn a_refused_request_does_not_use_up_its_key(shop: &Shop) {
    let taken = shop.product("A", "1").await;
    assert_eq!(refusal(create(shop, "k", named("A", "1")).await).1, "sku_taken");
    assert!(create(shop, "k", named("B", "free")).await.is_err());
    assert_eq!(create(shop, "k", named("B", "1")).await.unwrap().version, taken.version);
}

async fn twenty_at_once_with_one_key_make_one_product(shop: &Shop) {
    for (key, fields) in [
        ("with a SKU", named("A", "1")),
        ("without one", ProductFields { sku: None, ..named("B", "1") }),
    ] {
        let calls = (0..20).map(|_| create(shop, key, fields.clone()));
        let answers = futures::future::join_all(calls).await;
        let first = answers[0].as_ref().unwrap().clone();
        for answer in answers {
            assert_eq!(answer.unwrap(), first);
        }
    }
    assert_eq!(shop.events().await.len(), 2);
}
