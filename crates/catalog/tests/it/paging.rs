//! Walking lists by cursor.

use chrono::TimeDelta;
use souk_proto::catalog::v1::{ListProductsRequest, ListProductsResponse};
use souk_proto::types::v1::PageRequest;
use souk_rpc::Failure;
use souk_values::Cursor;

use crate::shop::{Shop, answer, broken_fields};

crate::on_both! {
    a_walk_meets_every_product_once_while_others_are_made
    equal_keys_are_walked_too
    pages_have_a_bound
    a_cursor_of_something_else_is_refused
}

async fn page(
    shop: &Shop,
    sort: &str,
    limit: u32,
    cursor: &str,
) -> Result<ListProductsResponse, Failure> {
    let page = Some(PageRequest { limit, cursor: cursor.to_owned() });
    let request = ListProductsRequest { page, sort: sort.into(), ..Default::default() };
    answer(shop.products().list_products(request)).await
}

async fn a_walk_meets_every_product_once_while_others_are_made(shop: &Shop) {
    for n in 0..9 {
        shop.product(&format!("old {n}"), &format!("{}.50", n % 4)).await;
        shop.clock.advance(TimeDelta::seconds(1));
    }
    for (nth, sort) in
        ["", "created_at", "-updated_at", "price", "-price", "name", "-sku"].iter().enumerate()
    {
        let (mut met, mut cursor) = (Vec::new(), String::new());
        for turn in 0.. {
            let part = page(shop, sort, 2, &cursor).await.unwrap();
            assert!(part.items.len() <= 2);
            met.extend(part.items.into_iter().map(|p| p.sku));
            shop.product(&format!("new {nth} {turn}"), "1.70").await;
            shop.clock.advance(TimeDelta::seconds(1));
            cursor = part.next_cursor;
            if cursor.is_empty() {
                break;
            }
            assert!(turn < 200, "a walk without end");
        }
        let mut old: Vec<&String> = met.iter().filter(|sku| sku.starts_with("old")).collect();
        let walked = met.len();
        old.sort();
        assert_eq!(
            old,
            ["old 0", "old 1", "old 2", "old 3", "old 4", "old 5", "old 6", "old 7", "old 8"]
        );
        met.sort();
        met.dedup();
        assert_eq!(met.len(), walked, "met twice by {sort}");
        if nth < 6 {
            // a list in the other order of time would never end while products are made
            for turn in 0.. {
                if shop.delete(&format!("new {nth} {turn}")).await.is_err() {
                    break;
                }
            }
        }
    }
}

async fn equal_keys_are_walked_too(shop: &Shop) {
    for n in 0..7 {
        shop.product(&format!("{n}"), "1").await;
    }
    for sort in ["price", "-price", "created_at", "-created_at"] {
        let (mut met, mut cursor) = (Vec::new(), String::new());
        loop {
            let part = page(shop, sort, 3, &cursor).await.unwrap();
            met.extend(part.items.into_iter().map(|p| p.sku));
            cursor = part.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!(met.len(), 7);
        met.sort();
        assert_eq!(met.join(""), "0123456", "{sort}");
    }
}

async fn pages_have_a_bound(shop: &Shop) {
    for n in 0..30 {
        shop.product(&format!("{n}"), "1").await;
    }
    assert_eq!(page(shop, "", 0, "").await.unwrap().items.len(), 24);
    let all = page(shop, "", 100, "").await.unwrap();
    assert_eq!((all.items.len(), all.next_cursor.as_str()), (30, ""));
    let exact = page(shop, "", 30, "").await.unwrap();
    assert_eq!((exact.items.len(), exact.next_cursor.as_str()), (30, ""));
    assert_eq!(broken_fields(page(shop, "", 101, "").await), ["limit"]);
}

async fn a_cursor_of_something_else_is_refused(shop: &Shop) {
    for n in 0..3 {
        shop.product(&format!("{n}"), "1").await;
    }
    let by_price = page(shop, "price", 1, "").await.unwrap().next_cursor;
    assert!(page(shop, "-price", 1, &by_price).await.is_ok());
    let id = souk_values::ProductId::new();
    let nul = Cursor::encode(&serde_json::json!({ "k": { "s": "a\0b" }, "id": id }));
    let far = Cursor::encode(&serde_json::json!({ "k": { "t": i64::MAX }, "id": id }));
    for (sort, cursor) in [
        ("", by_price.as_str()),
        ("name", &by_price),
        ("name", nul.as_str()),
        ("", far.as_str()),
        ("price", "%%%"),
        ("price", "e30"),
        ("price", "' OR 1=1 --"),
    ] {
        assert_eq!(broken_fields(page(shop, sort, 1, cursor).await), ["cursor"], "{cursor}");
    }
}
