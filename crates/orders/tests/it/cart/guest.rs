//! Guests' carts, how they become their owners', and how carts end.
use futures::future::join_all;
use souk_rpc::Kind;

use super::house::{Shop, Who, changes, eventually, lines, refusal};
use super::on_both;

on_both! { false;
    a_guest_has_a_cart_that_only_the_secret_opens
    at_login_the_lines_of_both_carts_are_there_once
    merging_many_times_at_once_is_merging_once
    carts_of_two_currencies_stay_two
    merging_hides_no_change
    a_logout_keeps_the_cart
    the_cart_of_a_deleted_user_ends
}

async fn a_guest_has_a_cart_that_only_the_secret_opens(shop: &Shop) {
    shop.product("TEA", "2.50", Some(9)).await;
    let (one, two) = (shop.guest().await, shop.guest().await);
    assert_ne!(one.secret, two.secret);
    assert_eq!(one.secret.len(), 43, "32 bytes in base64url");
    assert!(one.cart_id.starts_with("crt_"));
    let guest = Who::guest(&one.secret);
    let cart = shop.add(&guest, "TEA", 2).await.unwrap();
    assert_eq!((cart.id.as_str(), lines(&cart)), (one.cart_id.as_str(), vec![("TEA", 2, 500)]));
    assert_eq!(shop.look(&Who::guest(&two.secret)).await.unwrap().items, []);
    let stranger = Who::guest("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let unknown = (Kind::NotFound, "cart_not_found".to_owned());
    assert_eq!(refusal(shop.look(&stranger).await), unknown);
    assert_eq!(refusal(shop.add(&stranger, "TEA", 1).await), unknown);
    assert_eq!(refusal(shop.set(&stranger, "TEA", 1).await), unknown);
    assert_eq!(refusal(shop.remove(&stranger, "TEA").await), unknown);
    assert_eq!(refusal(shop.clear(&stranger).await), unknown);
    // the id opens nothing, and neither does what is stored
    assert_eq!(refusal(shop.look(&Who::guest(&one.cart_id)).await), unknown);
    let kept = format!("cart WHERE CAST(secret_hash AS TEXT) LIKE '%{}%'", one.secret);
    assert_eq!(shop.count(&kept).await, 0);
    assert_eq!(shop.look(&guest).await.unwrap(), cart);
}

async fn at_login_the_lines_of_both_carts_are_there_once(shop: &Shop) {
    for sku in ["TEA", "CUP", "POT"] {
        shop.product(sku, "1.00", Some(5)).await;
    }
    let ann = shop.customer("ann").await;
    shop.add(&ann, "TEA", 3).await.unwrap();
    shop.add(&ann, "CUP", 1).await.unwrap();
    let made = shop.guest().await;
    let guest = Who::guest(&made.secret);
    shop.add(&guest, "POT", 2).await.unwrap();
    shop.add(&guest, "TEA", 4).await.unwrap();
    shop.merge(&ann.with(&made.secret)).await.unwrap();
    let cart = shop.look(&ann).await.unwrap();
    assert_eq!(lines(&cart), [("TEA", 7, 700), ("CUP", 1, 100), ("POT", 2, 200)]);
    assert_eq!(changes(&cart)[0], ["short"], "seven of five are wanted");
    assert_eq!(refusal(shop.look(&guest).await).1, "cart_not_found");
    // again, by whatever call: nothing doubles
    shop.merge(&ann.with(&made.secret)).await.unwrap();
    let again = shop.look(&ann.with(&made.secret)).await.unwrap();
    assert_eq!(lines(&again), lines(&cart));
    // somebody without a cart simply has the guest's
    let made = shop.guest().await;
    shop.add(&Who::guest(&made.secret), "CUP", 2).await.unwrap();
    let bob = shop.customer("bob").await;
    let cart = shop.add(&bob.with(&made.secret), "CUP", 1).await.unwrap();
    assert_eq!(lines(&cart), [("CUP", 3, 300)]);
    assert_eq!(shop.count("cart").await, 2);
}

async fn merging_many_times_at_once_is_merging_once(shop: &Shop) {
    shop.product("TEA", "1.00", Some(50)).await;
    let ann = shop.customer("ann").await;
    let made = shop.guest().await;
    shop.add(&Who::guest(&made.secret), "TEA", 2).await.unwrap();
    let both = ann.with(&made.secret);
    for cart in join_all((0..10).map(|_| shop.add(&both, "TEA", 1))).await {
        cart.unwrap();
    }
    assert_eq!(lines(&shop.look(&ann).await.unwrap()), [("TEA", 12, 1200)]);
}

async fn carts_of_two_currencies_stay_two(shop: &Shop) {
    shop.product("TEA", "1.00", Some(5)).await;
    shop.product_in("EUR", "VIN", "7.00", Some(5)).await;
    let ann = shop.customer("ann").await;
    shop.add(&ann, "TEA", 1).await.unwrap();
    let made = shop.guest().await;
    let guest = Who::guest(&made.secret);
    shop.add(&guest, "VIN", 1).await.unwrap();
    let refused = refusal(shop.merge(&ann.with(&made.secret)).await);
    assert_eq!(refused, (Kind::Conflict, "currency_mismatch".to_owned()));
    assert_eq!(lines(&shop.look(&ann).await.unwrap()), [("TEA", 1, 100)]);
    assert_eq!(lines(&shop.look(&guest).await.unwrap()), [("VIN", 1, 700)]);
}

async fn merging_hides_no_change(shop: &Shop) {
    shop.product("TEA", "1.00", Some(5)).await;
    let made = shop.guest().await;
    shop.add(&Who::guest(&made.secret), "TEA", 1).await.unwrap();
    let fields = souk_proto::catalog::v1::ProductFields {
        price: Some("2.00".to_owned()),
        ..Default::default()
    };
    shop.change("TEA", fields).await;
    let ann = shop.customer("ann").await;
    shop.merge(&ann.with(&made.secret)).await.unwrap();
    assert_eq!(changes(&shop.look(&ann).await.unwrap()), [vec!["price"]]);
    assert_eq!(refusal(shop.merge(&Who::guest(&made.secret)).await).0, Kind::Unauthenticated);
}

async fn a_logout_keeps_the_cart(shop: &Shop) {
    shop.product("TEA", "1.00", Some(5)).await;
    let ann = shop.customer("ann").await;
    shop.add(&ann, "TEA", 1).await.unwrap();
    shop.log_out(&ann).await;
    eventually("the logout is heard", || async {
        shop.count("inbox WHERE done_at IS NOT NULL").await > 0
    })
    .await;
    let ann = shop.log_in("ann").await;
    assert_eq!(lines(&shop.look(&ann).await.unwrap()), [("TEA", 1, 100)]);
}

async fn the_cart_of_a_deleted_user_ends(shop: &Shop) {
    shop.product("TEA", "1.00", Some(5)).await;
    let (ann, bob) = (shop.customer("ann").await, shop.customer("bob").await);
    shop.add(&ann, "TEA", 1).await.unwrap();
    shop.add(&bob, "TEA", 2).await.unwrap();
    shop.delete_user(&ann).await;
    eventually("the cart ends", || async { shop.count("cart").await == 1 }).await;
    assert_eq!(shop.count("cart_line").await, 1);
    assert_eq!(lines(&shop.look(&bob).await.unwrap()), [("TEA", 2, 200)]);
}

mod clearing {
    //! With the setting that empties carts at logout.
    use super::super::house::{Shop, eventually, lines};
    use super::super::on_both;

    on_both! { true;
        a_logout_empties_the_cart
    }

    async fn a_logout_empties_the_cart(shop: &Shop) {
        shop.product("TEA", "1.00", Some(5)).await;
        let (ann, bob) = (shop.customer("ann").await, shop.customer("bob").await);
        shop.add(&ann, "TEA", 1).await.unwrap();
        shop.add(&bob, "TEA", 2).await.unwrap();
        shop.log_out(&ann).await;
        eventually("the cart is empty", || async { shop.count("cart_line").await == 1 }).await;
        let ann = shop.log_in("ann").await;
        assert_eq!(shop.look(&ann).await.unwrap().items, []);
        assert_eq!(lines(&shop.look(&bob).await.unwrap()), [("TEA", 2, 200)]);
    }
}
