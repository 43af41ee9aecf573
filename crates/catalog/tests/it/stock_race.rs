//! Many at the same shelves at the same time: nothing is sold twice, and nobody sees a deadlock.

use std::sync::Arc;

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use souk_proto::catalog::v1::{Product, ProductFields};
use souk_values::OrderId;

use crate::shop::{Place, Shop, clock};

crate::on_both! {
    sixty_four_buyers_get_the_last_ten
    baskets_in_any_order_sell_exactly_what_is_there
    one_order_asked_by_twenty_holds_once
    steps_of_one_order_in_any_order_keep_the_books
    products_written_meanwhile_leave_the_stock_alone
    imports_and_counts_meanwhile_keep_the_books
    an_order_that_cannot_be_written_takes_no_other_with_it
}

async fn sixty_four_buyers_get_the_last_ten(shop: &Shop) {
    let a = shop.shelf("A", 10).await;
    let held = race(&[shop], 64, &[&a]).await;
    assert_eq!(held.len(), 10);
    assert_eq!(shop.figures("A").await, (10, 10));
    let sold = join_all(held.iter().map(|order| shop.commit(*order))).await;
    assert!(sold.into_iter().all(|answer| answer.unwrap().committed));
    assert_eq!(shop.figures("A").await, (0, 0));
    shop.is_sound().await;
}

async fn baskets_in_any_order_sell_exactly_what_is_there(shop: &Shop) {
    let shelves = [shop.shelf("A", 10).await, shop.shelf("B", 10).await, shop.shelf("C", 10).await];
    let baskets: Vec<&Product> = shelves.iter().collect();
    let held = race(&[shop], 64, &baskets).await;
    assert_eq!(held.len(), 10);
    settle(&[shop], &held).await;
}

/// Every third order is declined, the others are sold; what is left is right.
async fn settle(shops: &[&Shop], held: &[OrderId]) {
    let steps = held.iter().enumerate().map(|(n, order)| async move {
        let shop = shops[n % shops.len()];
        if n % 3 == 0 {
            shop.release(*order).await.unwrap();
        } else {
            assert!(shop.commit(*order).await.unwrap().committed);
        }
    });
    join_all(steps).await;
    let sold = held.len() - held.len().div_ceil(3);
    let left = 10 - i64::try_from(sold).unwrap();
    for sku in ["A", "B", "C"] {
        assert_eq!(shops[0].figures(sku).await, (left, 0));
    }
    shops[0].is_sound().await;
}

/// So many buyers want one of each; answers those who have them. Each names them in another order.
async fn race(shops: &[&Shop], buyers: usize, goods: &[&Product]) -> Vec<OrderId> {
    let start = Arc::new(tokio::sync::Barrier::new(buyers));
    let asks = (0..buyers).map(|n| {
        let start = start.clone();
        async move {
            let order = OrderId::new();
            let mut lines: Vec<(&Product, i64)> = goods.iter().map(|p| (*p, 1)).collect();
            lines.rotate_left(n % goods.len());
            if n % 2 == 0 {
                lines.reverse();
            }
            start.wait().await;
            let answer = shops[n % shops.len()].reserve(order, &lines).await.unwrap();
            assert!(answer.held || answer.refused.iter().all(|l| l.reason == "out_of_stock"));
            answer.held.then_some(order)
        }
    });
    join_all(asks).await.into_iter().flatten().collect()
}

async fn one_order_asked_by_twenty_holds_once(shop: &Shop) {
    let a = shop.shelf("A", 30).await;
    let order = OrderId::new();
    let three = [(&a, 3)];
    let answers = join_all((0..20).map(|_| shop.reserve(order, &three))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().held));
    assert_eq!(shop.figures("A").await, (30, 3));
    let answers = join_all((0..20).map(|_| shop.commit(order))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().committed));
    assert_eq!(shop.figures("A").await, (27, 0));
    let two = [(&a, 2)];
    join_all((0..20).map(|_| shop.give_back(order, "1", &two))).await;
    assert_eq!(shop.figures("A").await, (29, 0));
    shop.is_sound().await;
}

async fn steps_of_one_order_in_any_order_keep_the_books(shop: &Shop) {
    let a = shop.shelf("A", 1_000).await;
    let orders: Vec<OrderId> = (0..40).map(|_| OrderId::new()).collect();
    join_all(orders.iter().map(|order| async {
        let lines = [(&a, 2)];
        let (reserved, committed, released) =
            tokio::join!(shop.reserve(*order, &lines), shop.commit(*order), shop.release(*order));
        // too late or too early, but never broken
        let fine = |reason: &str| ["order_ended", "not_reserved"].contains(&reason);
        assert!(reserved.map_err(|e| e.reason).err().is_none_or(|reason| fine(&reason)));
        assert!(committed.map_err(|e| e.reason).err().is_none_or(|reason| fine(&reason)));
        released.unwrap();
    }))
    .await;
    assert_eq!(shop.figures("A").await, (1_000, 0));
    shop.is_sound().await;
}

async fn products_written_meanwhile_leave_the_stock_alone(shop: &Shop) {
    let a = shop.shelf("A", 100).await;
    let buy = (0..30).map(|_| async {
        let order = shop.held(&[(&a, 1)]).await;
        assert!(shop.commit(order).await.unwrap().committed);
    });
    let write = (0..30).map(|n| async move {
        let fields = ProductFields { price: Some(format!("{n}.99")), ..Default::default() };
        shop.update("A", fields).await.unwrap();
    });
    tokio::join!(join_all(buy), join_all(write));
    assert_eq!(shop.figures("A").await, (70, 0));
    let now = shop.get("A").await.unwrap();
    assert_eq!((now.version, now.stock), (31, Some(70)));
    shop.is_sound().await;
}

async fn imports_and_counts_meanwhile_keep_the_books(shop: &Shop) {
    let mut goods = Vec::new();
    for n in 0..20 {
        goods.push(shop.shelf(&format!("S{n:02}"), 50).await);
    }
    let goods = &goods;
    let buy = (0..40_usize).map(|n| async move {
        let lines = [(&goods[(n * 7) % 20], 1), (&goods[(n * 7 + 11) % 20], 2)];
        let order = shop.held(&lines).await;
        if n % 2 == 0 {
            shop.commit(order).await.unwrap();
        }
    });
    let write = (0..10_i64).map(|round| async move {
        // the other way round: a batch and an order never wait for each other
        let items = (0..20).rev().map(|n| ProductFields {
            sku: Some(format!("S{n:02}")),
            stock: Some(60 + round),
            ..Default::default()
        });
        let request = souk_proto::catalog::v1::WriteProductsRequest {
            items: items.collect(),
            ..Default::default()
        };
        let answer = crate::shop::answer(shop.products().write_products(request)).await.unwrap();
        assert!(answer.results.iter().all(|result| result.code.is_empty()), "{answer:?}");
    });
    let count = (0..20).map(|n| async move {
        shop.move_stock(&format!("S{n:02}"), "adjust", 3).await.unwrap();
    });
    tokio::join!(join_all(buy), join_all(write), join_all(count));
    shop.is_sound().await;
}

async fn an_order_that_cannot_be_written_takes_no_other_with_it(shop: &Shop) {
    let a = shop.shelf("A", 100).await;
    let damaged = shop.held(&[(&a, 1)]).await;
    // as if its sale was booked before
    let planted = "INSERT INTO stock_ledger SELECT order_id, product_id, 'sale', 0, 0, '', order_id, \
                   '', 'test', expires_at FROM reservation";
    shop.db().write().execute_unprepared(planted).await.unwrap();
    let basket = [(&a, 1)];
    let mut orders = join_all((0..30).map(|_| shop.held(&basket))).await;
    orders.insert(15, damaged);
    let done = join_all(orders.iter().map(|order| shop.commit(*order))).await;
    for (order, answer) in orders.iter().zip(done) {
        assert_eq!(answer.is_ok_and(|answer| answer.committed), *order != damaged);
    }
    assert_eq!(shop.figures("A").await, (70, 1));
    shop.is_sound().await;
}

/// Two processes on one database: what each does in one transaction with many orders must not stand
/// in the other's way.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_shelves() {
    let shop = Shop::postgres().await;
    let place = shop.place.beside();
    let other = place.open(&clock()).await;
    let shops = [&shop, &other];
    let shelves = [shop.shelf("A", 10).await, shop.shelf("B", 10).await, shop.shelf("C", 10).await];
    let goods: Vec<&Product> = shelves.iter().collect();
    let held = race(&shops, 64, &goods).await;
    assert_eq!(held.len(), 10);
    // the same order at both
    let one = [(&shelves[0], 1)];
    for order in &held {
        let again = join_all(shops.map(|shop| shop.reserve(*order, &one))).await;
        assert!(again.into_iter().all(|answer| answer.unwrap().held));
    }
    settle(&shops, &held).await;
    assert!(other.house.stop().await);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_outlives_its_process() {
    let place = Place::file();
    let shop = place.open(&clock()).await;
    let a = shop.shelf("A", 5).await;
    let order = shop.held(&[(&a, 2)]).await;
    assert!(shop.house.stop().await);
    let again = place.open(&clock()).await;
    assert!(again.reserve(order, &[(&a, 2)]).await.unwrap().held);
    assert!(again.commit(order).await.unwrap().committed);
    assert_eq!(again.figures("A").await, (3, 0));
    again.is_sound().await;
    again.close().await;
}
