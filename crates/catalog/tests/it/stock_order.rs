//! What an order's way through the stock leaves behind, each step done once however often it is
//! asked.

use chrono::TimeDelta;
use souk_proto::catalog::v1::{
    CommitRequest, Product, ProductFields, ProductKind, ReserveRequest, StockLine,
};
use souk_rpc::Kind;
use souk_values::{OrderId, ProductId};

use crate::shop::{Shop, answer, broken_fields, eventually, named, refusal};
use crate::stock::{line, reasons, rows};

crate::on_both! {
    held_goods_cannot_be_had_by_others
    all_lines_are_held_or_none_and_every_wrong_one_is_named
    another_price_is_refused_and_another_version_is_not
    hidden_and_unknown_goods_are_gone
    a_repeated_reservation_holds_once
    committed_goods_leave_the_shop_once
    released_goods_are_free_again_once
    a_committed_order_that_is_released_comes_back_but_for_what_came_back
    a_release_that_comes_first_ends_the_order
    nothing_is_reserved_or_committed_after_a_release
    what_came_back_is_put_back_once_and_never_more_than_was_sold
    digital_goods_are_always_there_and_move_nothing
    goods_that_turn_digital_or_physical_on_their_way_keep_the_books
    an_order_that_nobody_reserved_has_nothing_to_commit
    all_that_is_broken_in_a_reservation_is_named_at_once
    a_thousand_lines_are_one_order
    an_expired_reservation_frees_its_goods
    an_expired_order_commits_if_the_goods_are_still_there
    an_expired_order_may_reserve_again
    hundreds_expire_at_once
}

async fn states(shop: &Shop, order: OrderId) -> Vec<(String, i64, i64, i64)> {
    let items = shop.of_order(order).await.into_iter();
    items.map(|i| (i.state, i.quantity, i.sold, i.returned)).collect()
}

fn one(state: &str, quantity: i64, sold: i64, returned: i64) -> Vec<(String, i64, i64, i64)> {
    vec![(state.to_owned(), quantity, sold, returned)]
}

async fn digital(shop: &Shop, sku: &str) -> Product {
    let kind = Some(ProductKind::Digital.into());
    shop.create(ProductFields { kind, ..named(sku, "10") }).await.unwrap()
}

async fn reserved(shop: &Shop, lines: Vec<StockLine>) -> souk_proto::catalog::v1::ReserveResponse {
    let order_id = OrderId::new().to_string();
    answer(shop.stock().reserve(ReserveRequest { order_id, lines, ttl_s: 0 })).await.unwrap()
}

async fn held_goods_cannot_be_had_by_others(shop: &Shop) {
    let phone = shop.shelf("A", 1).await;
    let first = OrderId::new();
    let held = shop.reserve(first, &[(&phone, 1)]).await.unwrap();
    assert!(held.held && held.refused.is_empty());
    assert_eq!(held.expires_at_us, shop.clock.now_us() + 900_000_000);
    assert_eq!(shop.get("A").await.unwrap().stock, Some(0));
    assert_eq!(shop.figures("A").await, (1, 1));
    let second = shop.reserve(OrderId::new(), &[(&phone, 1)]).await.unwrap();
    assert!(!second.held);
    assert_eq!(reasons(&second.refused), ["out_of_stock"]);
    assert_eq!(second.refused[0].available, Some(0));
    assert_eq!(states(shop, first).await, one("held", 1, 0, 0));
    shop.is_sound().await;
}

async fn all_lines_are_held_or_none_and_every_wrong_one_is_named(shop: &Shop) {
    let (a, b, c) = (shop.shelf("A", 5).await, shop.shelf("B", 1).await, shop.shelf("C", 2).await);
    let order = OrderId::new();
    let refused = shop.reserve(order, &[(&a, 5), (&b, 2), (&c, 3)]).await.unwrap();
    assert!(!refused.held);
    assert_eq!(reasons(&refused.refused), ["out_of_stock", "out_of_stock"]);
    let available: Vec<(&str, Option<i64>)> =
        refused.refused.iter().map(|l| (l.product_id.as_str(), l.available)).collect();
    assert_eq!(available, [(b.id.as_str(), Some(1)), (c.id.as_str(), Some(2))]);
    assert_eq!(shop.figures("A").await, (5, 0));
    assert!(shop.of_order(order).await.is_empty());
    // what was refused may be asked for again
    assert!(shop.reserve(order, &[(&a, 5), (&b, 1)]).await.unwrap().held);
    shop.is_sound().await;
}

async fn another_price_is_refused_and_another_version_is_not(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let seen = |minor, currency: &str, version, quantity| StockLine {
        version: Some(version),
        unit_price_minor: Some(minor),
        currency: currency.into(),
        ..line(&a, quantity)
    };
    let renamed = ProductFields { name: Some("Another".into()), ..Default::default() };
    let now = shop.update("A", renamed).await.unwrap();
    assert!(reserved(shop, vec![seen(1000, "GBP", 1, 1)]).await.held);
    for (minor, currency) in [(999, "GBP"), (1000, "EUR")] {
        let refused = reserved(shop, vec![seen(minor, currency, now.version, 1)]).await.refused;
        assert_eq!(reasons(&refused), ["price_changed"]);
        assert_eq!((refused[0].unit_price_minor, refused[0].version), (Some(1000), Some(2)));
        assert_eq!((refused[0].currency.as_str(), refused[0].available), ("GBP", Some(4)));
    }
    // both: what cannot be had at any price is said, with the price
    let refused = reserved(shop, vec![seen(999, "GBP", 2, 5)]).await.refused;
    assert_eq!(reasons(&refused), ["out_of_stock"]);
    assert_eq!((refused[0].unit_price_minor, refused[0].available), (Some(1000), Some(4)));
    shop.is_sound().await;
}

async fn hidden_and_unknown_goods_are_gone(shop: &Shop) {
    let (a, e) = (shop.shelf("A", 5).await, digital(shop, "E").await);
    shop.delete("A").await.unwrap();
    shop.delete("E").await.unwrap();
    let nobody = Product { id: ProductId::new().to_string(), ..Product::default() };
    let refused = reserved(shop, vec![line(&a, 1), line(&e, 1), line(&nobody, 1)]).await.refused;
    assert_eq!(reasons(&refused), ["product_gone"; 3]);
    assert!(refused.iter().all(|l| l.available.is_none() && l.unit_price_minor.is_none()));
}

async fn a_repeated_reservation_holds_once(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let order = OrderId::new();
    let first = shop.reserve(order, &[(&a, 3)]).await.unwrap();
    shop.clock.advance(TimeDelta::seconds(60));
    // also when the goods have become dear meanwhile, or hidden
    shop.delete("A").await.unwrap();
    assert_eq!(shop.reserve(order, &[(&a, 3)]).await.unwrap(), first);
    shop.restore("A").await.unwrap();
    assert_eq!(shop.figures("A").await, (5, 3));
    shop.commit(order).await.unwrap();
    assert!(shop.reserve(order, &[(&a, 3)]).await.unwrap().held);
    assert_eq!(shop.figures("A").await, (2, 0));
    shop.is_sound().await;
}

async fn committed_goods_leave_the_shop_once(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 5).await, shop.shelf("B", 5).await);
    let order = shop.held(&[(&a, 3), (&b, 5)]).await;
    for _ in 0..3 {
        let answer = shop.commit(order).await.unwrap();
        assert!(answer.committed && answer.refused.is_empty());
    }
    assert_eq!((shop.figures("A").await, shop.figures("B").await), ((2, 0), (0, 0)));
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 5), ("sale", -3)]));
    let sold: Vec<_> = states(shop, order).await;
    assert_eq!(sold, [one("committed", 3, 3, 0), one("committed", 5, 5, 0)].concat());
    let request = souk_proto::catalog::v1::ListMovementsRequest {
        order_id: order.to_string(),
        ..Default::default()
    };
    let rows = shop.movements(request).await;
    assert!(rows.iter().all(|row| row.actor_id == "orders" && row.order_id == order.to_string()));
    shop.is_sound().await;
}

async fn released_goods_are_free_again_once(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let other = shop.held(&[(&a, 1)]).await;
    let order = shop.held(&[(&a, 3)]).await;
    for _ in 0..3 {
        shop.release(order).await.unwrap();
    }
    assert_eq!(shop.figures("A").await, (5, 1));
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 5)]));
    assert_eq!(states(shop, order).await, one("released", 3, 0, 0));
    assert_eq!(states(shop, other).await, one("held", 1, 0, 0));
    shop.is_sound().await;
}

async fn a_committed_order_that_is_released_comes_back_but_for_what_came_back(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 5).await, shop.shelf("B", 5).await);
    let order = shop.held(&[(&a, 3), (&b, 2)]).await;
    shop.commit(order).await.unwrap();
    shop.give_back(order, "rfd_1", &[(&a, 1), (&b, 2)]).await.unwrap();
    for _ in 0..3 {
        shop.release(order).await.unwrap();
    }
    assert_eq!((shop.figures("A").await, shop.figures("B").await), ((5, 0), (5, 0)));
    let expected = rows(&[("initial", 5), ("sale", -3), ("return", 1), ("return", 2)]);
    assert_eq!(shop.ledger("A").await, expected);
    assert_eq!(shop.ledger("B").await, rows(&[("initial", 5), ("sale", -2), ("return", 2)]));
    shop.is_sound().await;
}

async fn a_release_that_comes_first_ends_the_order(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let order = OrderId::new();
    shop.release(order).await.unwrap();
    shop.release(order).await.unwrap();
    let late = refusal(shop.reserve(order, &[(&a, 1)]).await);
    assert_eq!(late, (Kind::Conflict, "order_ended".into()));
    assert_eq!(shop.figures("A").await, (5, 0));
    assert!(shop.of_order(order).await.is_empty());
    shop.is_sound().await;
}

async fn nothing_is_reserved_or_committed_after_a_release(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let order = shop.held(&[(&a, 1)]).await;
    shop.release(order).await.unwrap();
    let ended = (Kind::Conflict, "order_ended".to_owned());
    assert_eq!(refusal(shop.reserve(order, &[(&a, 1)]).await), ended);
    assert_eq!(refusal(shop.commit(order).await), ended);
    assert_eq!(shop.figures("A").await, (5, 0));
    shop.is_sound().await;
}

async fn what_came_back_is_put_back_once_and_never_more_than_was_sold(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 5).await, shop.shelf("B", 5).await);
    let order = shop.held(&[(&a, 3)]).await;
    // held goods are still on the shelf
    assert_eq!(refusal(shop.give_back(order, "1", &[(&a, 1)]).await).1, "not_reserved");
    shop.commit(order).await.unwrap();
    for _ in 0..3 {
        shop.give_back(order, "1", &[(&a, 2)]).await.unwrap();
    }
    let too_much = (Kind::Conflict, "return_exceeds_sold".to_owned());
    assert_eq!(refusal(shop.give_back(order, "2", &[(&a, 2)]).await), too_much);
    assert_eq!(refusal(shop.give_back(order, "2", &[(&a, 1), (&b, 1)]).await), too_much);
    assert_eq!(shop.figures("A").await, (4, 0));
    shop.give_back(order, "2", &[(&a, 1)]).await.unwrap();
    assert_eq!(refusal(shop.give_back(order, "3", &[(&a, 1)]).await), too_much);
    assert_eq!(shop.figures("A").await, (5, 0));
    assert_eq!(states(shop, order).await, one("committed", 3, 3, 3));
    let unknown = refusal(shop.give_back(OrderId::new(), "1", &[(&a, 1)]).await);
    assert_eq!(unknown, (Kind::NotFound, "not_reserved".into()));
    shop.is_sound().await;
}

async fn digital_goods_are_always_there_and_move_nothing(shop: &Shop) {
    let (a, e) = (shop.shelf("A", 1).await, digital(shop, "E").await);
    let order = shop.held(&[(&a, 1), (&e, 1_000_000)]).await;
    shop.commit(order).await.unwrap();
    shop.give_back(order, "1", &[(&e, 1)]).await.unwrap();
    shop.release(order).await.unwrap();
    assert_eq!(shop.figures("E").await, (0, 0));
    assert!(shop.ledger("E").await.is_empty());
    assert_eq!(shop.on_shelf("E").await.stock_seq, 0);
    let only = shop.held(&[(&e, 1)]).await;
    shop.clock.advance(TimeDelta::seconds(901));
    eventually("digital goods expire", || async {
        (shop.of_order(only).await[0].state == "expired").then_some(())
    })
    .await;
    assert!(shop.commit(only).await.unwrap().committed);
    assert_eq!(states(shop, only).await, one("committed", 1, 0, 0));
    shop.is_sound().await;
}

async fn goods_that_turn_digital_or_physical_on_their_way_keep_the_books(shop: &Shop) {
    let (a, e) = (shop.shelf("A", 5).await, digital(shop, "E").await);
    let order = shop.held(&[(&a, 2), (&e, 2)]).await;
    let other = shop.held(&[(&a, 1)]).await;
    let turn = |kind: ProductKind| ProductFields { kind: Some(kind.into()), ..Default::default() };
    shop.update("A", turn(ProductKind::Digital)).await.unwrap();
    shop.update("E", turn(ProductKind::Physical)).await.unwrap();
    shop.is_sound().await;
    shop.commit(order).await.unwrap();
    shop.release(other).await.unwrap();
    shop.is_sound().await;
    shop.update("A", turn(ProductKind::Physical)).await.unwrap();
    let count = ProductFields { stock: Some(4), ..Default::default() };
    assert_eq!(shop.update("A", count).await.unwrap().stock, Some(4));
    assert_eq!(shop.get("E").await.unwrap().stock, Some(0));
    shop.is_sound().await;
}

async fn an_order_that_nobody_reserved_has_nothing_to_commit(shop: &Shop) {
    let none = refusal(shop.commit(OrderId::new()).await);
    assert_eq!(none, (Kind::NotFound, "not_reserved".into()));
    let call = shop.stock().commit(CommitRequest { order_id: "ord_1".into() }).await;
    assert_eq!(broken_fields(answer(async { call }).await), ["order_id"]);
}

async fn all_that_is_broken_in_a_reservation_is_named_at_once(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let ask = |lines: Vec<StockLine>, ttl_s| {
        let order_id = OrderId::new().to_string();
        let mut client = shop.stock();
        async move {
            let request = ReserveRequest { order_id, lines, ttl_s };
            broken_fields(answer(client.reserve(request)).await)
        }
    };
    let nowhere = StockLine { product_id: "prd".into(), quantity: 0, ..Default::default() };
    assert_eq!(ask(vec![], 0).await, ["lines"]);
    let broken = ask(vec![line(&a, -1), line(&a, 1), nowhere], 0).await;
    let expected =
        ["lines[0].quantity", "lines[1].product_id", "lines[2].quantity", "lines[2].product_id"];
    assert_eq!(broken, expected);
    assert_eq!(ask(vec![line(&a, 1)], 86_401).await, ["ttl_s"]);
    assert_eq!(shop.figures("A").await, (5, 0));
}

async fn a_thousand_lines_are_one_order(shop: &Shop) {
    let items = |from: usize| {
        let one = |n| ProductFields { stock: Some(2), ..named(&format!("S{n}"), "1") };
        (from..from + 500).map(one).collect::<Vec<_>>()
    };
    let mut products = Vec::new();
    for from in [0, 500] {
        let request = souk_proto::catalog::v1::WriteProductsRequest {
            items: items(from),
            ..Default::default()
        };
        let written = answer(shop.products().write_products(request)).await.unwrap().results;
        products.extend(written.into_iter().map(|r| Product { id: r.id, ..Product::default() }));
    }
    let lines: Vec<(&Product, i64)> = products.iter().map(|p| (p, 1)).collect();
    let order = shop.held(&lines).await;
    assert!(shop.commit(order).await.unwrap().committed);
    assert_eq!(shop.of_order(order).await.len(), 1_000);
    assert_eq!(shop.figures("S999").await, (1, 0));
    assert_eq!(shop.breaches().await, Vec::<String>::new());
}

async fn is_expired(shop: &Shop, order: OrderId) {
    eventually("the reservation expires", || async {
        (shop.of_order(order).await[0].state == "expired").then_some(())
    })
    .await;
}

async fn an_expired_reservation_frees_its_goods(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 1).await, shop.shelf("B", 1).await);
    let short = OrderId::new();
    let lines = vec![line(&a, 1)];
    let request = ReserveRequest { order_id: short.to_string(), lines, ttl_s: 30 };
    assert!(answer(shop.stock().reserve(request)).await.unwrap().held);
    let long = shop.held(&[(&b, 1)]).await;
    shop.clock.advance(TimeDelta::seconds(31));
    is_expired(shop, short).await;
    assert_eq!(shop.figures("A").await, (1, 0));
    assert_eq!(states(shop, long).await, one("held", 1, 0, 0));
    assert!(shop.reserve(OrderId::new(), &[(&a, 1)]).await.unwrap().held);
    // an order that has ended stays as it is
    shop.clock.advance(TimeDelta::seconds(31));
    shop.release(short).await.unwrap();
    assert_eq!(shop.figures("A").await, (1, 1));
    shop.is_sound().await;
}

async fn an_expired_order_commits_if_the_goods_are_still_there(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 2).await, shop.shelf("B", 2).await);
    let first = shop.held(&[(&a, 2), (&b, 1)]).await;
    shop.clock.advance(TimeDelta::seconds(901));
    is_expired(shop, first).await;
    let other = shop.held(&[(&a, 1)]).await;
    let refused = shop.commit(first).await.unwrap();
    assert!(!refused.committed);
    assert_eq!(reasons(&refused.refused), ["out_of_stock"]);
    assert_eq!((refused.refused[0].available, shop.figures("B").await), (Some(1), (2, 0)));
    shop.release(other).await.unwrap();
    assert!(shop.commit(first).await.unwrap().committed);
    assert_eq!((shop.figures("A").await, shop.figures("B").await), ((0, 0), (1, 0)));
    shop.is_sound().await;
}

async fn an_expired_order_may_reserve_again(shop: &Shop) {
    let a = shop.shelf("A", 2).await;
    let order = shop.held(&[(&a, 2)]).await;
    shop.clock.advance(TimeDelta::seconds(901));
    is_expired(shop, order).await;
    let again = shop.reserve(order, &[(&a, 2)]).await.unwrap();
    assert!(again.held);
    assert_eq!(again.expires_at_us, shop.clock.now_us() + 900_000_000);
    assert_eq!(shop.figures("A").await, (2, 2));
    shop.release(order).await.unwrap();
    assert_eq!(shop.figures("A").await, (2, 0));
    shop.is_sound().await;
}

async fn hundreds_expire_at_once(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 400).await, shop.shelf("B", 400).await);
    let basket = [(&a, 1), (&b, 1)];
    let orders = futures::future::join_all((0..300).map(|_| shop.held(&basket))).await;
    assert_eq!(shop.figures("A").await, (400, 300));
    shop.clock.advance(TimeDelta::seconds(901));
    eventually("all are expired", || async { (shop.figures("A").await == (400, 0)).then_some(()) })
        .await;
    assert_eq!(shop.figures("B").await, (400, 0));
    for order in orders {
        assert!(shop.of_order(order).await.iter().all(|item| item.state == "expired"));
    }
    shop.is_sound().await;
}
