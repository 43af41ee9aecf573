//! Stock moved by hand: received, adjusted, counted. And the verbs of all who test stock.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use souk_proto::catalog::v1::stock_service_client::StockServiceClient;
use souk_proto::catalog::v1::{
    CommitRequest, CommitResponse, GetOrderStockRequest, GetStockRequest, ListMovementsRequest,
    MoveStockRequest, Movement, OrderStock, Product, ProductFields, ProductKind, RefusedLine,
    ReleaseRequest, ReserveRequest, ReserveResponse, ReturnToStockRequest, Stock, StockLine,
};
use souk_proto::events::v1::StockMoved;
use souk_proto::operations::v1::CheckIntegrityRequest;
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Kind, Transport};
use souk_values::OrderId;

use crate::shop::{Shop, answer, broken_fields, named, refusal};

crate::on_both! {
    goods_are_received_adjusted_and_counted
    each_movement_is_told_once_and_in_order
    a_count_that_finds_what_is_there_is_noted_and_moves_nothing
    less_than_is_reserved_cannot_be_there
    all_that_is_broken_in_a_movement_is_named_at_once
    digital_goods_have_no_shelf
    the_same_key_moves_once
    twenty_with_one_key_move_once
    movements_are_listed_by_product_kind_and_order
    a_shelf_that_does_not_fit_its_ledger_is_found
}

/// Verbs of those who move stock.
impl Shop {
    /// The door for orders, as they knock from another process.
    pub(crate) fn stock(&self) -> StockServiceClient<Transport> {
        StockServiceClient::new(self.orders())
    }

    /// A product with so many on its shelf.
    pub(crate) async fn shelf(&self, sku: &str, on_hand: i64) -> Product {
        self.create(ProductFields { stock: Some(on_hand), ..named(sku, "10") }).await.unwrap()
    }

    pub(crate) async fn reserve(
        &self,
        order: OrderId,
        lines: &[(&Product, i64)],
    ) -> Result<ReserveResponse, Failure> {
        let lines = lines.iter().map(|(product, quantity)| line(product, *quantity)).collect();
        let request = ReserveRequest { order_id: order.to_string(), lines, ttl_s: 0 };
        answer(self.stock().reserve(request)).await
    }

    /// Reserves what is there.
    pub(crate) async fn held(&self, lines: &[(&Product, i64)]) -> OrderId {
        let order = OrderId::new();
        let answer = self.reserve(order, lines).await.unwrap();
        assert!(answer.held, "{answer:?}");
        order
    }

    pub(crate) async fn commit(&self, order: OrderId) -> Result<CommitResponse, Failure> {
        answer(self.stock().commit(CommitRequest { order_id: order.to_string() })).await
    }

    pub(crate) async fn release(&self, order: OrderId) -> Result<(), Failure> {
        let request = ReleaseRequest { order_id: order.to_string() };
        answer(self.stock().release(request)).await.map(|_| ())
    }

    pub(crate) async fn give_back(
        &self,
        order: OrderId,
        return_id: &str,
        lines: &[(&Product, i64)],
    ) -> Result<(), Failure> {
        let lines = lines.iter().map(|(product, quantity)| line(product, *quantity)).collect();
        let (order_id, return_id) = (order.to_string(), return_id.to_owned());
        let request = ReturnToStockRequest { order_id, return_id, lines };
        answer(self.stock().return_to_stock(request)).await.map(|_| ())
    }

    /// What an order has, by product.
    pub(crate) async fn of_order(&self, order: OrderId) -> Vec<OrderStock> {
        let request = GetOrderStockRequest { order_ids: vec![order.to_string()] };
        let mut items = answer(self.stock().get_order_stock(request)).await.unwrap().items;
        items.sort_by(|a, b| a.product_id.cmp(&b.product_id));
        items
    }

    pub(crate) async fn on_shelf(&self, key: &str) -> Stock {
        let mut client = StockServiceClient::new(self.operator());
        answer(client.get_stock(GetStockRequest { key: key.to_owned() })).await.unwrap()
    }

    /// On hand and reserved.
    pub(crate) async fn figures(&self, key: &str) -> (i64, i64) {
        let stock = self.on_shelf(key).await;
        assert_eq!(stock.available, stock.on_hand - stock.reserved);
        (stock.on_hand, stock.reserved)
    }

    pub(crate) async fn move_stock(
        &self,
        key: &str,
        kind: &str,
        quantity: i64,
    ) -> Result<Stock, Failure> {
        let (key, kind) = (key.to_owned(), kind.to_owned());
        self.moved(MoveStockRequest { key, kind, quantity, ..MoveStockRequest::default() }).await
    }

    pub(crate) async fn moved(&self, request: MoveStockRequest) -> Result<Stock, Failure> {
        answer(StockServiceClient::new(self.operator()).move_stock(request)).await
    }

    /// A product's rows of the ledger, oldest first: kind and quantity.
    pub(crate) async fn ledger(&self, key: &str) -> Vec<(String, i64)> {
        let request = ListMovementsRequest { key: key.to_owned(), ..Default::default() };
        let mut rows = self.movements(request).await;
        rows.reverse();
        rows.into_iter().map(|row| (row.kind, row.quantity)).collect()
    }

    pub(crate) async fn movements(&self, request: ListMovementsRequest) -> Vec<Movement> {
        let mut client = StockServiceClient::new(self.operator());
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = Some(PageRequest { limit: 100, cursor });
            let request = ListMovementsRequest { page, ..request.clone() };
            let answer = answer(client.list_movements(request)).await.unwrap();
            all.extend(answer.items);
            if answer.next_cursor.is_empty() {
                return all;
            }
            cursor = answer.next_cursor;
        }
    }

    /// What breaks an invariant, as `souk verify` sees it.
    pub(crate) async fn breaches(&self) -> Vec<String> {
        let mut client = OperationsServiceClient::new(self.operator());
        let checks = answer(client.check_integrity(CheckIntegrityRequest {})).await.unwrap().checks;
        assert!(checks.iter().any(|check| check.invariant == "I01"));
        let breaches = checks.into_iter().flat_map(|check| check.breaches);
        breaches.map(|breach| format!("{}: {}", breach.subject, breach.detail)).collect()
    }

    /// Nothing is broken, and the movements of each shelf were told one by one from the first.
    pub(crate) async fn is_sound(&self) {
        assert_eq!(self.breaches().await, Vec::<String>::new());
        let mut seqs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for event in self.told().await {
            if event.event_type == "souk.catalog.stock.moved.v1" {
                let moved: StockMoved = event.decode().unwrap();
                assert_eq!(event.subject, format!("stock/{}", moved.product_id));
                assert_eq!(event.version, moved.stock_seq);
                seqs.entry(moved.product_id).or_default().push(moved.stock_seq);
            }
        }
        for (product, mut told) in seqs {
            told.sort_unstable();
            let last = self.on_shelf(&product).await.stock_seq;
            assert_eq!(told, (1..=last).collect::<Vec<_>>(), "{product}");
        }
    }
}

/// So many of the product, at whatever it costs.
pub(crate) fn line(product: &Product, quantity: i64) -> StockLine {
    StockLine { product_id: product.id.clone(), quantity, ..StockLine::default() }
}

pub(crate) fn rows(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(kind, quantity)| ((*kind).to_owned(), *quantity)).collect()
}

pub(crate) fn reasons(refused: &[RefusedLine]) -> Vec<&str> {
    refused.iter().map(|line| line.reason.as_str()).collect()
}

async fn goods_are_received_adjusted_and_counted(shop: &Shop) {
    let made = shop.shelf("A", 3).await;
    let request = MoveStockRequest {
        key: "A".into(),
        kind: "receive".into(),
        quantity: 7,
        reason: " from the maker ".into(),
        ..MoveStockRequest::default()
    };
    let stock = shop.moved(request).await.unwrap();
    assert_eq!((stock.product_id.as_str(), stock.sku.as_str()), (made.id.as_str(), "A"));
    assert_eq!((stock.on_hand, stock.reserved, stock.available, stock.stock_seq), (10, 0, 10, 1));
    assert_eq!(shop.move_stock("product-a", "adjust", -4).await.unwrap().on_hand, 6);
    assert_eq!(shop.move_stock(&made.id, "count", 5).await.unwrap().on_hand, 5);
    assert_eq!(
        shop.ledger("A").await,
        rows(&[("initial", 3), ("receive", 7), ("adjust", -4), ("count", -1)])
    );
    let request = ListMovementsRequest { kind: "receive".into(), ..Default::default() };
    let row = shop.movements(request).await.pop().unwrap();
    assert!(row.id.starts_with("mov_"));
    assert_eq!((row.on_hand_after, row.reason.as_str()), (10, "from the maker"));
    assert_eq!((row.actor_id.as_str(), row.order_id.as_str()), ("operator", ""));
    assert_eq!(row.at_us, shop.clock.now_us());
    // no change of the product: no version, no letter
    let now = shop.get("A").await.unwrap();
    assert_eq!((now.version, now.stock, now.stock_seq), (1, Some(5), 3));
    shop.is_sound().await;
}

async fn each_movement_is_told_once_and_in_order(shop: &Shop) {
    let made = shop.shelf("A", 20).await;
    shop.move_stock("A", "receive", 1).await.unwrap();
    shop.move_stock("A", "adjust", -2).await.unwrap();
    let told: Vec<(u64, StockMoved)> = shop
        .told()
        .await
        .into_iter()
        .filter(|e| e.event_type == "souk.catalog.stock.moved.v1")
        .map(|e| (e.version, e.decode().unwrap()))
        .collect();
    let moved = |stock_seq, stock| {
        (stock_seq, StockMoved { product_id: made.id.clone(), stock_seq, stock: Some(stock) })
    };
    assert_eq!(told, [moved(1, 21), moved(2, 19)]);
    assert_eq!(shop.events().await.len(), 1);
}

async fn a_count_that_finds_what_is_there_is_noted_and_moves_nothing(shop: &Shop) {
    shop.shelf("A", 3).await;
    let stock = shop.move_stock("A", "count", 3).await.unwrap();
    assert_eq!((stock.on_hand, stock.stock_seq), (3, 0));
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 3), ("count", 0)]));
    shop.is_sound().await;
}

async fn less_than_is_reserved_cannot_be_there(shop: &Shop) {
    let made = shop.shelf("A", 5).await;
    shop.held(&[(&made, 3)]).await;
    for (kind, quantity) in [("count", 2), ("adjust", -3)] {
        let failure = shop.move_stock("A", kind, quantity).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.reason.as_str()),
            (Kind::Conflict, "stock_below_reserved")
        );
        assert_eq!(failure.metadata["reserved"], "3");
    }
    assert_eq!(shop.figures("A").await, (5, 3));
    shop.move_stock("A", "count", 3).await.unwrap();
    assert_eq!(shop.figures("A").await, (3, 3));
    shop.is_sound().await;
}

async fn all_that_is_broken_in_a_movement_is_named_at_once(shop: &Shop) {
    shop.shelf("A", 5).await;
    for (kind, quantity, reason, fields) in [
        ("sale", 1, "", &["kind"][..]),
        ("", 1, "", &["kind"]),
        ("receive", -1, "", &["quantity"]),
        ("count", -1, "a\nb", &["reason", "quantity"]),
        ("adjust", 0, "", &["quantity"]),
        ("adjust", i64::MIN, "", &["quantity"]),
        ("receive", 1_000_000_001, "", &["quantity"]),
        ("receive", 1_000_000_000, "", &["quantity"]),
        ("receive", 1, &"x".repeat(201), &["reason"]),
    ] {
        let request = MoveStockRequest {
            key: "A".into(),
            kind: kind.into(),
            quantity,
            reason: reason.into(),
            ..MoveStockRequest::default()
        };
        assert_eq!(broken_fields(shop.moved(request).await), fields, "{kind} {quantity}");
    }
    let check = MoveStockRequest {
        key: "A".into(),
        kind: "receive".into(),
        quantity: 1,
        check_only: true,
        ..MoveStockRequest::default()
    };
    shop.moved(check).await.unwrap();
    let unknown = shop.move_stock("B", "receive", 1).await;
    assert_eq!(refusal(unknown), (Kind::NotFound, "product_not_found".into()));
    assert_eq!(shop.ledger("A").await, rows(&[("initial", 5)]));
}

async fn digital_goods_have_no_shelf(shop: &Shop) {
    let kind = Some(ProductKind::Digital.into());
    shop.create(ProductFields { kind, ..named("A", "1") }).await.unwrap();
    assert_eq!(broken_fields(shop.move_stock("A", "receive", 1).await), ["quantity"]);
    assert_eq!(shop.figures("A").await, (0, 0));
    assert!(shop.ledger("A").await.is_empty());
}

async fn the_same_key_moves_once(shop: &Shop) {
    shop.shelf("A", 1).await;
    let request = MoveStockRequest {
        key: "A".into(),
        kind: "receive".into(),
        quantity: 2,
        idempotency_key: "k".into(),
        ..MoveStockRequest::default()
    };
    let first = shop.moved(request.clone()).await.unwrap();
    shop.move_stock("A", "receive", 5).await.unwrap();
    assert_eq!(shop.moved(request.clone()).await.unwrap(), first);
    let other = MoveStockRequest { quantity: 3, ..request };
    let reused = refusal(shop.moved(other).await);
    assert_eq!(reused, (Kind::Invalid, "idempotency_key_reused".into()));
    assert_eq!(shop.figures("A").await, (8, 0));
}

async fn twenty_with_one_key_move_once(shop: &Shop) {
    shop.shelf("A", 0).await;
    let all = futures::future::join_all((0..20).map(|_| {
        shop.moved(MoveStockRequest {
            key: "A".into(),
            kind: "receive".into(),
            quantity: 2,
            idempotency_key: "k".into(),
            ..MoveStockRequest::default()
        })
    }));
    for answer in all.await {
        assert_eq!(answer.unwrap().on_hand, 2);
    }
    assert_eq!(shop.ledger("A").await, rows(&[("receive", 2)]));
    shop.is_sound().await;
}

async fn movements_are_listed_by_product_kind_and_order(shop: &Shop) {
    let (a, b) = (shop.shelf("A", 5).await, shop.shelf("B", 5).await);
    for _ in 0..3 {
        shop.move_stock("A", "receive", 1).await.unwrap();
    }
    let order = shop.held(&[(&a, 1), (&b, 2)]).await;
    shop.commit(order).await.unwrap();
    let list = |key: &str, kind: &str, order_id: &str| ListMovementsRequest {
        page: None,
        key: key.into(),
        kind: kind.into(),
        order_id: order_id.into(),
    };
    for (request, expected) in [
        (list("", "", ""), 7),
        (list("A", "", ""), 5),
        (list(&b.id, "", ""), 2),
        (list("", "receive", ""), 3),
        (list("", "", &order.to_string()), 2),
        (list("B", "sale", &order.to_string()), 1),
        (list("B", "receive", ""), 0),
    ] {
        let rows = shop.movements(request.clone()).await;
        assert_eq!(rows.len(), expected, "{request:?}");
        assert!(rows.is_sorted_by(|a, b| a.id > b.id), "newest first");
    }
    let mut client = StockServiceClient::new(shop.operator());
    let page = |limit, cursor: String| ListMovementsRequest {
        page: Some(PageRequest { limit, cursor }),
        ..Default::default()
    };
    let first = answer(client.list_movements(page(4, String::new()))).await.unwrap();
    let rest = answer(client.list_movements(page(4, first.next_cursor))).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len()), (4, 3));
    assert!(rest.next_cursor.is_empty());
    assert!(first.items.iter().all(|row| !rest.items.contains(row)));
    let broken = list("", "stolen", "prd_1");
    assert_eq!(broken_fields(answer(client.list_movements(broken)).await), ["kind", "order_id"]);
    let rubbish = answer(client.list_movements(page(4, "%%%".into()))).await;
    assert_eq!(broken_fields(rubbish), ["cursor"]);
    let unknown = answer(client.list_movements(list("C", "", ""))).await;
    assert_eq!(refusal(unknown).0, Kind::NotFound);
}

async fn a_shelf_that_does_not_fit_its_ledger_is_found(shop: &Shop) {
    for (sku, on_hand) in [("A", 5), ("B", 5), ("C", 5), ("D", 5)] {
        shop.shelf(sku, on_hand).await;
    }
    let c = shop.get("C").await.unwrap();
    shop.held(&[(&c, 1)]).await;
    assert!(shop.breaches().await.is_empty());
    let a = shop.get("A").await.unwrap();
    for damage in [
        "UPDATE product SET on_hand = on_hand + 1 WHERE sku = 'A'",
        "UPDATE product SET reserved = 1 WHERE sku = 'B'",
        "UPDATE reservation SET quantity = 2 WHERE state = 'held'",
        "DELETE FROM stock_ledger WHERE product_id = (SELECT id FROM product WHERE sku = 'D')",
    ] {
        shop.db().write().execute_unprepared(damage).await.unwrap();
    }
    let mut found = shop.breaches().await;
    found.sort();
    let (b, d) = (shop.get("B").await.unwrap(), shop.get("D").await.unwrap());
    let mut expected = [
        format!("product/{}: on hand are 6, but the ledger says 5", a.id),
        format!("product/{}: reserved are 1, but orders hold 0", b.id),
        format!("product/{}: reserved are 1, but orders hold 2", c.id),
        format!("product/{}: on hand are 5, but the ledger says 0", d.id),
    ];
    expected.sort();
    assert_eq!(found, expected);
}
