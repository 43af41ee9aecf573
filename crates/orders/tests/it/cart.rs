//! Carts: what goes in, what is told of changes, whose they are.
mod change;
mod guest;
mod house;
mod lost;

use futures::future::join_all;
use souk_rpc::Kind;

use self::house::{Shop, Who, lines, refusal};

/// Runs each test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($clearing:literal; $($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let shop = crate::cart::house::Shop::sqlite($clearing).await;
                super::$test(&shop).await;
                shop.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let shop = crate::cart::house::Shop::postgres($clearing).await;
                super::$test(&shop).await;
                shop.close().await;
            })*
        }
    };
}
use on_both;

on_both! { false;
    a_cart_adds_sets_removes_and_clears
    what_breaks_a_rule_changes_nothing
    a_seen_version_that_is_old_is_refused
    two_currencies_do_not_go_into_one_cart
    fast_clicks_lose_nothing_and_make_one_cart
    clicks_beyond_the_stock_stop_at_the_stock
    a_cart_holds_two_thousand_lines_and_no_more
}

async fn a_cart_adds_sets_removes_and_clears(shop: &Shop) {
    let ann = shop.customer("ann").await;
    let tea = shop.product("TEA", "2.50", Some(9)).await;
    shop.product("CUP", "10.00", Some(5)).await;
    let empty = shop.look(&ann).await.unwrap();
    assert_eq!((empty.total_minor, empty.currency.as_str(), empty.version), (0, "GBP", 0));
    let cart = shop.add(&ann, &tea.id, 2).await.unwrap();
    assert_eq!(lines(&cart), [("TEA", 2, 500)]);
    assert_eq!(cart.items[0].available, Some(9));
    assert_eq!(cart.items[0].name, "Product TEA");
    shop.add(&ann, "CUP", 1).await.unwrap();
    let cart = shop.add(&ann, &tea.slug, 1).await.unwrap();
    assert_eq!(lines(&cart), [("TEA", 3, 750), ("CUP", 1, 1000)]);
    assert_eq!((cart.total_minor, cart.changed), (1750, false));
    let fewer = shop.set(&ann, "TEA", 1).await.unwrap();
    assert_eq!(lines(&fewer), [("TEA", 1, 250), ("CUP", 1, 1000)]);
    assert!(fewer.version > cart.version);
    let cart = shop.set(&ann, "CUP", 0).await.unwrap();
    assert_eq!(lines(&cart), [("TEA", 1, 250)]);
    let cart = shop.set(&ann, "CUP", 2).await.unwrap();
    assert_eq!(lines(&cart), [("TEA", 1, 250), ("CUP", 2, 2000)]);
    let cart = shop.remove(&ann, &tea.id).await.unwrap();
    assert_eq!(lines(&cart), [("CUP", 2, 2000)]);
    assert_eq!(shop.look(&ann).await.unwrap(), cart);
    let cleared = shop.clear(&ann).await.unwrap();
    assert_eq!((cleared.items.len(), cleared.total_minor), (0, 0));
    assert!(cleared.version > cart.version);
    // another customer sees nothing of it
    let bob = shop.customer("bob").await;
    assert_eq!(shop.look(&bob).await.unwrap().items, []);
}

async fn what_breaks_a_rule_changes_nothing(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(3)).await;
    shop.product("OLD", "1.00", Some(3)).await;
    shop.hide("OLD").await;
    let before = shop.add(&ann, "TEA", 2).await.unwrap();
    for quantity in [0, -1, 1_000_001, i64::MAX, i64::MIN] {
        let (kind, reason) = refusal(shop.add(&ann, "TEA", quantity).await);
        assert_eq!((kind, reason.as_str()), (Kind::Invalid, "invalid_fields"), "{quantity}");
    }
    assert_eq!(refusal(shop.set(&ann, "TEA", -1).await).0, Kind::Invalid);
    let beyond = shop.add(&ann, "TEA", 2).await.unwrap_err();
    assert_eq!((beyond.kind, beyond.reason.as_str()), (Kind::Conflict, "out_of_stock"));
    assert_eq!(beyond.metadata["available"], "3");
    assert_eq!(refusal(shop.set(&ann, "TEA", 4).await).1, "out_of_stock");
    for key in ["OLD", "prd_unknown", "", "'; --"] {
        assert_eq!(
            refusal(shop.add(&ann, key, 1).await),
            (Kind::NotFound, "product_not_found".to_owned()),
            "{key}"
        );
    }
    assert_eq!(refusal(shop.set(&ann, "OLD", 0).await).1, "item_not_found");
    assert_eq!(refusal(shop.remove(&ann, "OLD").await).1, "item_not_found");
    assert_eq!(shop.look(&ann).await.unwrap(), before);
    let nobody = shop.look(&Who::default()).await;
    assert_eq!(refusal(nobody), (Kind::Unauthenticated, "no_cart".to_owned()));
}

async fn a_seen_version_that_is_old_is_refused(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(9)).await;
    let first = shop.add(&ann, "TEA", 1).await.unwrap();
    let second = shop.set_at(&ann, "TEA", 2, Some(first.version)).await.unwrap();
    for quantity in [3, 0] {
        let late = shop.set_at(&ann, "TEA", quantity, Some(first.version)).await.unwrap_err();
        assert_eq!((late.kind, late.reason.as_str()), (Kind::Stale, "stale_version"));
        assert_eq!(late.metadata["current_version"], second.version.to_string());
    }
    assert_eq!(shop.look(&ann).await.unwrap(), second);
}

async fn two_currencies_do_not_go_into_one_cart(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(9)).await;
    shop.product_in("EUR", "VIN", "7.00", Some(9)).await;
    shop.add(&ann, "TEA", 1).await.unwrap();
    let mixed = refusal(shop.add(&ann, "VIN", 1).await);
    assert_eq!(mixed, (Kind::Conflict, "currency_mismatch".to_owned()));
    assert_eq!(refusal(shop.set(&ann, "VIN", 1).await).1, "currency_mismatch");
    shop.clear(&ann).await.unwrap();
    let cart = shop.add(&ann, "VIN", 1).await.unwrap();
    assert_eq!((cart.currency.as_str(), cart.total_minor), ("EUR", 700));
}

async fn fast_clicks_lose_nothing_and_make_one_cart(shop: &Shop) {
    let people = [shop.customer("ann").await, shop.customer("bob").await];
    shop.product("TEA", "2.50", Some(1_000)).await;
    shop.product("CUP", "1.00", Some(1_000)).await;
    let clicks = people.iter().flat_map(|who| ["TEA", "CUP"].map(|sku| (who, sku)));
    let clicks = clicks.flat_map(|click| vec![click; 50]);
    let answers = join_all(clicks.map(|(who, sku)| shop.add(who, sku, 1))).await;
    for cart in answers {
        assert!(cart.unwrap().items.iter().all(|line| line.changes.is_empty()));
    }
    for who in &people {
        let cart = shop.look(who).await.unwrap();
        assert_eq!(cart.total_minor, 50 * 350);
        assert!(cart.items.iter().all(|line| line.quantity == 50));
    }
    assert_eq!(shop.count("cart").await, 2);
}

async fn clicks_beyond_the_stock_stop_at_the_stock(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(7)).await;
    let answers = join_all((0..20).map(|_| shop.add(&ann, "TEA", 1))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 7);
    for refused in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(refused).1, "out_of_stock");
    }
    assert_eq!(lines(&shop.look(&ann).await.unwrap()), [("TEA", 7, 1750)]);
}

async fn a_cart_holds_two_thousand_lines_and_no_more(shop: &Shop) {
    let ann = shop.customer("ann").await;
    shop.product("TEA", "2.50", Some(7)).await;
    shop.add(&ann, "TEA", 1).await.unwrap();
    shop.fill(&ann, 1_999).await;
    let full = shop.look(&ann).await.unwrap();
    assert_eq!(full.items.len(), 2_000);
    shop.product("CUP", "1.00", Some(7)).await;
    assert_eq!(refusal(shop.add(&ann, "CUP", 1).await), (Kind::Conflict, "cart_full".to_owned()));
    // what is in it can still be more
    shop.add(&ann, "TEA", 1).await.unwrap();
}
