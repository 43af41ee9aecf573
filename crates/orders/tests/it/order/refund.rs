//! Money and goods that go back, also when many want it at once.
use souk_proto::orders::v1 as pb;
use souk_rpc::Kind;

use super::stage::{self, Person, Place, Stage, refusal, staff};

stage::on_both! {
    a_refund_of_lines_costs_their_share_and_returns_them
    refunds_that_race_never_exceed_what_was_paid
    a_refund_and_a_cancellation_at_once_give_the_money_back_once
    staff_give_money_back_with_a_fresh_second_factor_only
}

async fn a_refund_of_lines_costs_their_share_and_returns_them(stage: &Stage) {
    let (buyer, staff) = (Person::new(&[]), staff());
    let lamp = stage.product("3.33", 10).await;
    let order = stage.bought(&buyer, &lamp, 3).await;
    let lines = |n| vec![pb::RefundLine { product_id: lamp.clone(), quantity: n }];
    let request = |lines, restock| pb::RefundOrderRequest {
        id: order.number.clone(),
        lines,
        restock,
        ..Default::default()
    };
    let after = stage.refund(&staff, request(lines(1), true)).await.unwrap();
    assert_eq!((after.status.as_str(), after.refunded_minor), ("confirmed", 333));
    assert_eq!(stage.stock(&lamp).await, 8);
    let large = refusal(stage.refund(&staff, request(lines(3), true)).await);
    assert_eq!(large, (Kind::Conflict, "refund_too_large".to_owned()));
    let stranger = vec![pb::RefundLine { product_id: order.id.clone(), quantity: 1 }];
    let broken = stage.refund(&staff, request(stranger, true)).await.unwrap_err();
    assert_eq!(broken.violations[0].field, "lines[0].product_id");
    // the rest, and nothing goes back on the shelf
    let after = stage.refund(&staff, request(Vec::new(), false)).await.unwrap();
    assert_eq!((after.status.as_str(), after.refunded_minor), ("refunded", 999));
    assert_eq!(stage.stock(&lamp).await, 8);
    assert_eq!(refusal(stage.refund(&staff, request(Vec::new(), false)).await).1, "not_paid");
}

async fn refunds_that_race_never_exceed_what_was_paid(stage: &Stage) {
    let (buyer, staff) = (Person::new(&[]), staff());
    let lamp = stage.product("10", 10).await;
    let order = stage.bought(&buyer, &lamp, 1).await;
    let request = || pb::RefundOrderRequest {
        id: order.id.clone(),
        amount: Some("3".to_owned()),
        ..Default::default()
    };
    let calls = (0..12).map(|_| stage.refund(&staff, request()));
    let done = futures::future::join_all(calls).await;
    let (made, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 3);
    assert!(refused.into_iter().all(|r| refusal(r).1 == "refund_too_large"));
    let rest = pb::RefundOrderRequest { id: order.id.clone(), ..Default::default() };
    let calls = (0..6).map(|_| stage.refund(&staff, rest.clone()));
    let done = futures::future::join_all(calls).await;
    assert_eq!(done.iter().filter(|answer| answer.is_ok()).count(), 1);
    let after = stage.becomes(&order.id, "refunded").await;
    assert_eq!(after.refunded_minor, 1000);
    assert_eq!(after.payment.unwrap().refunded_minor, 1000);
    let told = stage.told(&order.id).await;
    let versions: Vec<u64> = told.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=6).collect::<Vec<u64>>(), "{told:?}");
}

async fn a_refund_and_a_cancellation_at_once_give_the_money_back_once(stage: &Stage) {
    let staff = staff();
    let lamp = stage.product("10", 20).await;
    for _ in 0..4 {
        let buyer = Person::new(&[]);
        let order = stage.bought(&buyer, &lamp, 2).await;
        let all =
            pb::RefundOrderRequest { id: order.id.clone(), restock: true, ..Default::default() };
        let (_, _) = futures::join!(stage.refund(&staff, all), stage.cancel(&buyer, &order.id));
        let after = stage.becomes(&order.id, "refunded").await;
        assert_eq!((after.refunded_minor, after.refunds.len()), (2000, 1));
    }
    assert_eq!(stage.stock(&lamp).await, 20);
}

/// PostgreSQL counts transactions, and each statement of a list is one. Two connections, of which
/// the relay keeps one: what is counted was flushed by the one that asks.
#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_statements_of_a_list_does_not_grow() {
    let stage = Place::server().await.open(&[("database.max_connections", "2")]).await;
    let buyer = Person::new(&[]);
    let lamp = stage.product("10", 100).await;
    stage.bought(&buyer, &lamp, 1).await;
    let few = statements(&stage, &buyer).await;
    for _ in 0..20 {
        stage.bought(&buyer, &lamp, 1).await;
    }
    let many = statements(&stage, &buyer).await;
    // about 60 for thirty lists, beside what the relay has not told in time; one statement for
    // each order would be 600 more
    assert!(few > 40 && many < 300, "{few} statements for 1 order, {many} for 21");
    stage.close().await;
}

/// Of thirty lists.
async fn statements(stage: &Stage, buyer: &Person) -> i64 {
    let count = || async {
        let sql = "SELECT pg_stat_force_next_flush() IS NULL, xact_commit AS n \
                   FROM pg_stat_database WHERE datname = current_database()";
        stage.rows(sql).await;
        stage.rows(sql).await[0]["n"].as_i64().unwrap()
    };
    let before = count().await;
    for _ in 0..30 {
        let list = buyer.asks(stage.orders().list_orders(pb::ListOrdersRequest::default())).await;
        assert!(!list.unwrap().items.is_empty());
    }
    count().await - before
}

/// Cancelling is no way around it.
async fn staff_give_money_back_with_a_fresh_second_factor_only(stage: &Stage) {
    let (buyer, staff) = (Person::new(&[]), Person::stale(&["orders.read", "orders.write"]));
    let lamp = stage.product("10", 5).await;
    let order = stage.bought(&buyer, &lamp, 1).await;
    let needed = (Kind::Forbidden, "second_factor_needed".to_owned());
    let all = pb::RefundOrderRequest { id: order.id.clone(), ..Default::default() };
    assert_eq!(refusal(stage.refund(&staff, all).await), needed);
    let cancel = |id: &str| pb::CancelOrderRequest {
        id: id.to_owned(),
        as_staff: true,
        ..Default::default()
    };
    let refused = staff.asks(stage.orders().cancel_order(cancel(&order.id))).await;
    assert_eq!(refusal(refused), needed);
    assert_eq!(stage.order(&staff, &order.id).await.unwrap().status, "confirmed");
    // no money has been taken yet
    stage.add(&buyer, &lamp, 1).await;
    let waiting = stage.place(&buyer, stage::SECOND_STEP, "").await.unwrap().order.unwrap();
    let cancelled = staff.asks(stage.orders().cancel_order(cancel(&waiting.id))).await;
    assert_eq!(cancelled.unwrap().status, "cancelled");
    // who bought it takes it back with any token, and fresh staff do
    let fresh = stage::staff();
    let other = stage.bought(&buyer, &lamp, 1).await;
    let done = fresh.asks(stage.orders().cancel_order(cancel(&other.id))).await;
    assert_eq!(done.unwrap().status, "refunded");
    assert_eq!(stage.cancel(&buyer, &order.id).await.unwrap().status, "refunded");
}
