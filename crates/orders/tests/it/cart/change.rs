//! What changed since the last look is told, and told once.
use souk_proto::catalog::v1::ProductFields;

use super::house::{Shop, changes, lines};
use super::on_both;

on_both! { false;
    a_new_price_is_told_once
    a_hidden_product_stays_marked_and_costs_nothing
    less_stock_than_wanted_is_told_once_and_again_when_it_falls
    what_changed_is_told_by_whatever_answer_comes_first
    of_looks_at_the_same_moment_one_tells
}

fn price(text: &str) -> ProductFields {
    ProductFields { price: Some(text.to_owned()), ..ProductFields::default() }
}

fn stock(count: i64) -> ProductFields {
    ProductFields { stock: Some(count), ..ProductFields::default() }
}

async fn a_new_price_is_told_once(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(9)).await;
    let before = shop.add(&ann, "TEA", 2).await.unwrap();
    shop.change("TEA", price("3.00")).await;
    let told = shop.look(&ann).await.unwrap();
    assert_eq!((changes(&told), told.changed), (vec![vec!["price"]], true));
    assert_eq!(told.items[0].old_unit_price_minor, Some(250));
    assert_eq!(lines(&told), [("TEA", 2, 600)]);
    assert!(told.version > before.version);
    let again = shop.look(&ann).await.unwrap();
    assert_eq!((changes(&again), again.changed), (vec![vec![]], false));
    assert_eq!((again.version, again.total_minor), (told.version, 600));
}

async fn a_hidden_product_stays_marked_and_costs_nothing(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(9)).await;
    shop.product("CUP", "1.00", Some(9)).await;
    shop.add(&ann, "TEA", 2).await.unwrap();
    shop.add(&ann, "CUP", 1).await.unwrap();
    shop.hide("TEA").await;
    let told = shop.look(&ann).await.unwrap();
    assert_eq!(changes(&told), [vec!["unavailable"], vec![]]);
    assert_eq!(lines(&told), [("TEA", 2, 0), ("CUP", 1, 100)]);
    assert_eq!((told.total_minor, told.items[0].available), (100, Some(0)));
    assert_eq!(told.items[0].name, "Product TEA");
    let again = shop.look(&ann).await.unwrap();
    assert_eq!((changes(&again), again.total_minor), (vec![vec![], vec![]], 100));
    // back at another price: that is told
    shop.unhide("TEA").await;
    shop.change("TEA", price("4.00")).await;
    let back = shop.look(&ann).await.unwrap();
    assert_eq!(changes(&back), [vec!["price"], vec![]]);
    assert_eq!(back.total_minor, 900);
    // what is gone can be taken out
    shop.hide("TEA").await;
    let rest = shop.remove(&ann, "TEA").await.unwrap();
    assert_eq!(lines(&rest), [("CUP", 1, 100)]);
}

async fn less_stock_than_wanted_is_told_once_and_again_when_it_falls(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(9)).await;
    shop.add(&ann, "TEA", 8).await.unwrap();
    shop.change("TEA", stock(5)).await;
    let told = shop.look(&ann).await.unwrap();
    assert_eq!((changes(&told), told.items[0].available), (vec![vec!["short"]], Some(5)));
    assert_eq!(changes(&shop.look(&ann).await.unwrap()), [Vec::<&str>::new()]);
    shop.change("TEA", stock(2)).await;
    assert_eq!(changes(&shop.look(&ann).await.unwrap()), [vec!["short"]]);
    // enough again is no bad news, and short afterwards is news again
    shop.change("TEA", stock(20)).await;
    assert_eq!(changes(&shop.look(&ann).await.unwrap()), [Vec::<&str>::new()]);
    shop.change("TEA", stock(7)).await;
    assert_eq!(changes(&shop.look(&ann).await.unwrap()), [vec!["short"]]);
}

async fn what_changed_is_told_by_whatever_answer_comes_first(shop: &Shop) {
    let ann = shop.customer("ann").await;
    for sku in ["TEA", "CUP", "POT"] {
        shop.product(sku, "2.50", Some(9)).await;
    }
    shop.add(&ann, "TEA", 1).await.unwrap();
    shop.change("TEA", price("3.00")).await;
    let added = shop.add(&ann, "CUP", 1).await.unwrap();
    assert_eq!(changes(&added), [vec!["price"], vec![]]);
    shop.change("TEA", price("4.00")).await;
    let more = shop.add(&ann, "TEA", 1).await.unwrap();
    assert_eq!(changes(&more), [vec!["price"], vec![]]);
    assert_eq!(more.items[0].old_unit_price_minor, Some(300));
    shop.change("CUP", price("5.00")).await;
    let set = shop.set(&ann, "TEA", 1).await.unwrap();
    assert_eq!(changes(&set), [vec![], vec!["price"]]);
    assert_eq!(set.total_minor, 900);
}

async fn of_looks_at_the_same_moment_one_tells(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(9)).await;
    shop.add(&ann, "TEA", 1).await.unwrap();
    shop.change("TEA", price("3.00")).await;
    let looks = futures::future::join_all((0..4).map(|_| shop.look(&ann))).await;
    let told = looks.iter().filter(|look| look.as_ref().unwrap().changed).count();
    assert_eq!(told, 1);
}
