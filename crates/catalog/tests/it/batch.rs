//! Many products in one request.

use std::collections::HashSet;

use souk_proto::catalog::v1::{ProductFields, WriteProductsRequest, WriteResult};
use souk_rpc::Failure;

use crate::shop::{Shop, answer, broken_fields, named};

crate::on_both! {
    each_item_succeeds_or_fails_alone
    slugs_that_collide_make_way_or_fail_their_item
    a_request_has_one_to_five_hundred_items
    five_hundred_products_are_written_with_one_event_each_and_one_batch
    a_few_changes_are_no_batch
    batches_of_the_same_new_products_do_not_fail_each_other
}

async fn write(shop: &Shop, items: Vec<ProductFields>) -> Result<Vec<WriteResult>, Failure> {
    let request = WriteProductsRequest { items, ..Default::default() };
    answer(shop.products().write_products(request)).await.map(|response| response.results)
}

async fn each_item_succeeds_or_fails_alone(shop: &Shop) {
    shop.product("same", "1").await;
    shop.product("changed", "1").await;
    let items = vec![
        named("new", "1"),
        named("same", "1"),
        ProductFields { stock: Some(-1), ..named("broken", "x") },
        ProductFields { sku: Some("changed".into()), stock: Some(5), ..Default::default() },
        ProductFields { sku: Some("half".into()), ..Default::default() },
        ProductFields { category: Some("nowhere".into()), ..named("lost", "1") },
        named("new", "2"),
        ProductFields { sku: None, ..named("nameless", "1") },
    ];
    let results = write(shop, items).await.unwrap();
    let seen: Vec<(&str, &str, u64)> =
        results.iter().map(|r| (r.sku.as_str(), r.outcome.as_str(), r.version)).collect();
    assert_eq!(
        seen,
        [
            ("new", "created", 1),
            ("same", "unchanged", 1),
            ("broken", "failed", 0),
            ("changed", "updated", 2),
            ("half", "failed", 0),
            ("lost", "failed", 0),
            ("new", "failed", 0),
            ("", "failed", 0),
        ]
    );
    let broken = |n: usize| -> Vec<&str> {
        assert_eq!(results[n].code, "invalid_fields");
        results[n].errors.iter().map(|e| e.field.as_str()).collect()
    };
    assert_eq!(broken(2), ["price", "stock"]);
    assert_eq!(broken(4), ["name", "price"]);
    assert_eq!(broken(5), ["category"]);
    assert_eq!(broken(6), ["sku"]);
    assert_eq!(broken(7), ["sku"]);
    assert_eq!(shop.get("new").await.unwrap().id, results[0].id);
    assert_eq!(shop.get("changed").await.unwrap().stock, Some(5));
    assert!(shop.get("broken").await.is_err() && shop.get("lost").await.is_err());
    assert_eq!(shop.events().await.len(), 4);
}

async fn slugs_that_collide_make_way_or_fail_their_item(shop: &Shop) {
    shop.product("there", "1").await;
    let name = |sku: &str| ProductFields { name: Some("Product there".into()), ..named(sku, "1") };
    let slug = |sku: &str, slug: &str| ProductFields { slug: Some(slug.into()), ..named(sku, "1") };
    let items = vec![
        name("a"),
        slug("b", "wanted"),
        slug("c", "wanted"),
        slug("d", "product-there"),
        named("wanted", "1"),
        ProductFields {
            sku: Some("there".into()),
            slug: Some("moved".into()),
            ..Default::default()
        },
    ];
    let results = write(shop, items).await.unwrap();
    let outcomes: Vec<(&str, &str)> =
        results.iter().map(|r| (r.outcome.as_str(), r.code.as_str())).collect();
    let taken = ("failed", "slug_taken");
    let made = ("created", "");
    assert_eq!(outcomes, [made, made, taken, taken, made, ("updated", "")]);
    assert!(shop.get("a").await.unwrap().slug.starts_with("product-there-"));
    assert_eq!(shop.get("b").await.unwrap().slug, "wanted");
    assert_eq!(shop.get("there").await.unwrap().slug, "moved");
}

async fn a_request_has_one_to_five_hundred_items(shop: &Shop) {
    assert_eq!(broken_fields(write(shop, Vec::new()).await), ["items"]);
    let many = (0..501).map(|n| named(&n.to_string(), "1")).collect();
    assert_eq!(broken_fields(write(shop, many).await), ["items"]);
    assert!(shop.events().await.is_empty());
}

async fn five_hundred_products_are_written_with_one_event_each_and_one_batch(shop: &Shop) {
    let many = |price: &str| (0..500).map(|n| named(&format!("S{n}"), price)).collect();
    for (price, outcome, version) in [("1", "created", 1), ("2", "updated", 2)] {
        let results = write(shop, many(price)).await.unwrap();
        assert!(results.iter().all(|r| r.outcome == outcome && r.version == version));
    }
    let again = write(shop, many("2.0")).await.unwrap();
    assert!(again.iter().all(|r| r.outcome == "unchanged" && r.version == 2));
    let events = shop.events().await;
    assert_eq!(events.len(), 1000);
    for half in events.chunks(500) {
        let batches: HashSet<&str> = half.iter().map(|(_, e)| e.batch_id.as_str()).collect();
        assert!(batches.len() == 1 && !batches.contains(""), "{batches:?}");
        let products: HashSet<&str> = half.iter().map(|(_, e)| e.product_id.as_str()).collect();
        assert_eq!(products.len(), 500);
    }
    assert_ne!(events[0].1.batch_id, events[999].1.batch_id);
}

async fn a_few_changes_are_no_batch(shop: &Shop) {
    let few = (0..10).map(|n| named(&n.to_string(), "1")).collect();
    write(shop, few).await.unwrap();
    let events = shop.events().await;
    assert!(events.len() == 10 && events.iter().all(|(_, e)| e.batch_id.is_empty()));
}

async fn batches_of_the_same_new_products_do_not_fail_each_other(shop: &Shop) {
    let calls = (0..6).map(|turn| {
        let mut items: Vec<_> =
            (0..40).map(|n| named(&format!("S{n}"), &format!("{turn}.50"))).collect();
        if turn % 2 == 1 {
            items.reverse();
        }
        write(shop, items)
    });
    let all = futures::future::join_all(calls).await;
    let results: Vec<WriteResult> = all.into_iter().flat_map(Result::unwrap).collect();
    assert!(results.iter().all(|r| r.outcome == "created" || r.outcome == "updated"));
    assert_eq!(results.iter().filter(|r| r.outcome == "created").count(), 40);
    assert_eq!(shop.events().await.len(), 240);
}
