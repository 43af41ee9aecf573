//! Orders: placing, refusals, keys, cancelling, refunds, lists. The saga under kills is in `kill`.
mod idempotency;
mod kill;
mod refund;
pub(crate) mod stage;

use souk_proto::orders::v1 as pb;
use souk_proto::orders::v1::place_order_response::Outcome;
use souk_proto::types::v1::PageRequest;
use souk_rpc::Kind;

use self::stage::{DECLINES, Person, SECOND_STEP, Stage, checkout, refusal, staff};

stage::on_both! {
    an_order_is_placed_paid_and_seen_by_its_buyer_only
    what_is_not_as_the_buyer_saw_it_is_refused
    a_declined_payment_leaves_stock_and_cart_as_before
    the_last_units_are_sold_once
    a_payment_that_waits_is_approved_or_cancelled
    s36_staff_who_look_at_an_order_leave_an_entry
    a_cancelled_order_gives_everything_back
    staff_send_note_and_deliver_in_this_order_only
    lists_filter_search_and_page
    a_paused_owners_late_write_hits_nothing
}

async fn an_order_is_placed_paid_and_seen_by_its_buyer_only(stage: &Stage) {
    let (buyer, other) = (Person::new(&[]), Person::new(&[]));
    let (lamp, bulb) = (stage.product("12.50", 5).await, stage.product("3.00", 10).await);
    stage.add(&buyer, &lamp, 2).await;
    stage.add(&buyer, &bulb, 4).await;
    let placed = stage.place(&buyer, "", "").await.unwrap();
    assert_eq!(placed.outcome(), Outcome::Confirmed, "{placed:?}");
    let order = placed.order.unwrap();
    let quote = order.quote.as_ref().unwrap();
    assert_eq!((order.status.as_str(), quote.total_minor), ("confirmed", 3700));
    assert_eq!(order.payment.as_ref().unwrap().captured_minor, 3700);
    assert_eq!((stage.stock(&lamp).await, stage.stock(&bulb).await), (3, 6));
    assert!(stage.cart(&buyer).await.items.is_empty());
    let told: Vec<String> = stage.told(&order.id).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(told, ["placed", "confirmed"]);
    for key in [&order.id, &order.number, &order.number.to_lowercase()] {
        assert_eq!(stage.order(&buyer, key).await.unwrap().id, order.id);
        let refused = refusal(stage.order(&other, key).await);
        assert_eq!(refused, (Kind::NotFound, "order_not_found".to_owned()));
    }
    // the buyer is no staff, whatever they ask for
    assert!(stage.order(&buyer, &order.id).await.unwrap().timeline.is_empty());
    let seen = stage.order(&staff(), &order.id).await.unwrap();
    let steps: Vec<&str> = seen.timeline.iter().map(|entry| entry.to_state.as_str()).collect();
    assert_eq!(steps, ["created", "capturing", "confirmed"]);
    let purchases = pb::ListPurchasesRequest::default();
    let bought = buyer.asks(stage.orders().list_purchases(purchases)).await.unwrap();
    let paid: Vec<i64> = bought.items.iter().map(|item| item.paid_minor).collect();
    assert_eq!(paid, [2500, 1200]);
}

async fn what_is_not_as_the_buyer_saw_it_is_refused(stage: &Stage) {
    let buyer = Person::new(&[]);
    let conflict = |code: &str| (Kind::Conflict, code.to_owned());
    assert_eq!(refusal(stage.place(&buyer, "", "k0").await), conflict("cart_empty"));
    let lamp = stage.product("10", 3).await;
    let seen = stage.add(&buyer, &lamp, 2).await;
    let stale = pb::CheckoutRequest { cart_version: Some(seen.version + 7), ..checkout("") };
    assert_eq!(refusal(stage.place_with(&buyer, stale, "k1").await), conflict("cart_changed"));
    stage.reprice(&lamp, "11").await;
    assert_eq!(refusal(stage.place(&buyer, "", "k2").await), conflict("price_changed"));
    // looking is accepting
    stage.cart(&buyer).await;
    let rival = Person::new(&[]);
    stage.bought(&rival, &lamp, 2).await;
    let refused = stage.place(&buyer, "", "k3").await.unwrap_err();
    assert_eq!(refused.reason, "out_of_stock");
    assert_eq!(refused.metadata["available"], "1");
    let long = pb::Address { name: "x".repeat(100_000), ..checkout("").shipping_address.unwrap() };
    let wide = pb::CheckoutRequest { shipping_address: Some(long), ..checkout("") };
    let refused = stage.place_with(&buyer, wide, "k4").await.unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid);
    assert_eq!(refused.violations[0].field, "shipping_address.name");
    assert_eq!(stage.cart(&buyer).await.items[0].quantity, 2);
    let list = buyer.asks(stage.orders().list_orders(pb::ListOrdersRequest::default())).await;
    assert!(list.unwrap().items.is_empty(), "nothing was started");
    // a key under which nothing was started is free
    stage.tamper("DELETE FROM cart_line WHERE quantity = 2").await;
    stage.add(&buyer, &lamp, 1).await;
    assert_eq!(stage.place(&buyer, "", "k0").await.unwrap().outcome(), Outcome::Confirmed);
}

async fn a_declined_payment_leaves_stock_and_cart_as_before(stage: &Stage) {
    let buyer = Person::new(&[]);
    let lamp = stage.product("10", 3).await;
    stage.add(&buyer, &lamp, 2).await;
    let card = stage.card(&buyer, DECLINES).await;
    let first = stage.place_with(&buyer, checkout(&card), "k").await.unwrap();
    assert_eq!((first.outcome(), first.code.as_str()), (Outcome::Declined, "payment_failed"));
    assert_eq!(first.facts["decline_code"], "card_declined");
    let order = first.order.clone().unwrap();
    assert_eq!(
        (order.status.as_str(), order.reason.as_str()),
        ("payment_failed", "payment_failed")
    );
    assert_eq!(stage.stock(&lamp).await, 3);
    assert_eq!(stage.cart(&buyer).await.items[0].quantity, 2);
    // the same key: the same answer, and no second try
    assert_eq!(stage.place_with(&buyer, checkout(&card), "k").await.unwrap(), first);
    let told: Vec<String> = stage.told(&order.id).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(told, ["placed", "failed"]);
    assert_eq!(stage.place(&buyer, "", "k2").await.unwrap().outcome(), Outcome::Confirmed);
}

async fn the_last_units_are_sold_once(stage: &Stage) {
    let lamp = stage.product("10", 3).await;
    let buyers: Vec<Person> = (0..12).map(|_| Person::new(&[])).collect();
    for buyer in &buyers {
        stage.add(buyer, &lamp, 1).await;
    }
    let calls = buyers.iter().map(|buyer| stage.place(buyer, "", ""));
    let mut sold = 0;
    for answer in futures::future::join_all(calls).await {
        match answer {
            Ok(placed) if placed.outcome() == Outcome::Confirmed => sold += 1,
            Ok(placed) => assert_eq!(placed.code, "out_of_stock", "{placed:?}"),
            Err(failure) => assert_eq!(failure.reason, "out_of_stock", "{failure:?}"),
        }
    }
    assert_eq!((sold, stage.stock(&lamp).await), (3, 0));
}

async fn a_payment_that_waits_is_approved_or_cancelled(stage: &Stage) {
    let buyer = Person::new(&[]);
    let lamp = stage.product("10", 5).await;
    stage.add(&buyer, &lamp, 1).await;
    let waiting = stage.place(&buyer, SECOND_STEP, "").await.unwrap();
    assert_eq!(waiting.outcome(), Outcome::InProgress);
    assert!(!waiting.next_action.unwrap().url.is_empty());
    let order = waiting.order.unwrap();
    assert_eq!(order.status, "awaiting_payment");
    assert_eq!(stage.stock(&lamp).await, 4);
    let approve = pb::CompleteActionRequest { order_id: order.id.clone(), approve: true };
    buyer.asks(stage.payments().complete_action(approve)).await.unwrap();
    stage.becomes(&order.id, "confirmed").await;
    // refused by the buyer's bank
    stage.add(&buyer, &lamp, 1).await;
    let order = stage.place(&buyer, SECOND_STEP, "").await.unwrap().order.unwrap();
    let refuse = pb::CompleteActionRequest { order_id: order.id.clone(), approve: false };
    buyer.asks(stage.payments().complete_action(refuse)).await.unwrap();
    stage.becomes(&order.id, "payment_failed").await;
    assert_eq!(stage.cart(&buyer).await.items.len(), 1);
    // taken back meanwhile
    let order = stage.place(&buyer, SECOND_STEP, "").await.unwrap().order.unwrap();
    assert_eq!(stage.cancel(&buyer, &order.id).await.unwrap().status, "cancelled");
    assert_eq!(stage.stock(&lamp).await, 4);
    let again = refusal(stage.cancel(&buyer, &order.id).await);
    assert_eq!(again, (Kind::Conflict, "not_cancellable".to_owned()));
}

async fn a_cancelled_order_gives_everything_back(stage: &Stage) {
    let (buyer, other) = (Person::new(&[]), Person::new(&[]));
    let lamp = stage.product("10", 5).await;
    let order = stage.bought(&buyer, &lamp, 3).await;
    assert_eq!(refusal(stage.cancel(&other, &order.id).await).1, "order_not_found");
    assert_eq!(stage.cancel(&buyer, &order.id).await.unwrap().status, "refunded");
    assert_eq!(stage.stock(&lamp).await, 5);
    let after = stage.order(&staff(), &order.id).await.unwrap();
    assert_eq!((after.refunded_minor, after.reason.as_str()), (3000, "cancelled"));
    let told: Vec<String> = stage.told(&order.id).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(told, ["placed", "confirmed", "refunded"]);
    // two who cancel at once
    let order = stage.bought(&buyer, &lamp, 1).await;
    let calls = (0..4).map(|_| stage.cancel(&buyer, &order.id));
    let done = futures::future::join_all(calls).await;
    assert!(done.iter().any(Result::is_ok));
    stage.becomes(&order.id, "refunded").await;
    assert_eq!(stage.stock(&lamp).await, 5);
}

async fn staff_send_note_and_deliver_in_this_order_only(stage: &Stage) {
    let (buyer, staff) = (Person::new(&[]), staff());
    let lamp = stage.product("10", 5).await;
    let order = stage.bought(&buyer, &lamp, 1).await;
    let id = order.id.clone();
    let ship = |expected_version| pb::ShipOrderRequest {
        id: id.clone(),
        carrier: "DHL".to_owned(),
        tracking_number: "00340434161094022115".to_owned(),
        expected_version,
        ..Default::default()
    };
    let deliver = || pb::DeliverOrderRequest { id: id.clone(), expected_version: None };
    let refused = buyer.asks(stage.orders().ship_order(ship(None))).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let early = refusal(staff.asks(stage.orders().deliver_order(deliver())).await);
    assert_eq!(early, (Kind::Conflict, "not_shipped".to_owned()));
    let stale = refusal(staff.asks(stage.orders().ship_order(ship(Some(1)))).await);
    assert_eq!(stale, (Kind::Stale, "stale_version".to_owned()));
    let note = pb::AddNoteRequest { id: id.clone(), text: "call before".to_owned() };
    staff.asks(stage.orders().add_note(note)).await.unwrap();
    let shipped = staff.asks(stage.orders().ship_order(ship(Some(3)))).await.unwrap();
    assert_eq!(shipped.shipments[0].carrier, "DHL");
    let twice = refusal(staff.asks(stage.orders().ship_order(ship(None))).await);
    assert_eq!(twice, (Kind::Conflict, "already_shipped".to_owned()));
    let late = refusal(stage.cancel(&buyer, &id).await);
    assert_eq!(late, (Kind::Conflict, "not_cancellable".to_owned()));
    let delivered = staff.asks(stage.orders().deliver_order(deliver())).await.unwrap();
    assert_eq!(delivered.status, "delivered");
    let twice = refusal(staff.asks(stage.orders().deliver_order(deliver())).await);
    assert_eq!(twice, (Kind::Conflict, "already_delivered".to_owned()));
    let versions: Vec<(u64, String)> = stage.told(&id).await;
    let kinds = ["placed", "confirmed", "noted", "shipped", "delivered"];
    let expected: Vec<(u64, String)> = (1..).zip(kinds.map(str::to_owned)).collect();
    assert_eq!(versions, expected);
    let waiting = {
        stage.add(&buyer, &lamp, 1).await;
        stage.place(&buyer, SECOND_STEP, "").await.unwrap().order.unwrap().id
    };
    let unpaid = pb::ShipOrderRequest { id: waiting.clone(), ..Default::default() };
    let refused = refusal(staff.asks(stage.orders().ship_order(unpaid)).await);
    assert_eq!(refused, (Kind::Conflict, "not_paid".to_owned()));
    let unpaid = pb::RefundOrderRequest { id: waiting, ..Default::default() };
    assert_eq!(refusal(stage.refund(&staff, unpaid).await).1, "not_paid");
}

async fn lists_filter_search_and_page(stage: &Stage) {
    let (ada, bob, staff) = (Person::new(&[]), Person::new(&[]), staff());
    let (lamp, bulb) = (stage.product("10", 50).await, stage.product("2", 50).await);
    let mut own = Vec::new();
    for n in 1..=5 {
        own.push(stage.bought(&ada, &lamp, n).await.id);
    }
    let bobs = stage.bought(&bob, &bulb, 1).await;
    let page = |limit, cursor: &str| {
        let page = Some(PageRequest { limit, cursor: cursor.to_owned() });
        let mut orders = stage.orders();
        let ada = ada.clone();
        async move { ada.asks(orders.list_orders(pb::ListOrdersRequest { page })).await }
    };
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let part = page(2, &cursor).await.unwrap();
        seen.extend(part.items.into_iter().map(|item| item.id));
        cursor = part.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    own.reverse();
    assert_eq!(seen, own);
    let search = |request: pb::SearchOrdersRequest| {
        let staff = staff.clone();
        async move {
            let found = staff.asks(stage.orders().search_orders(request)).await;
            found.map(|found| found.items.into_iter().map(|o| o.id).collect::<Vec<_>>())
        }
    };
    let by = pb::SearchOrdersRequest::default;
    let found = search(pb::SearchOrdersRequest { user_id: bob.id.clone(), ..by() }).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&bobs.id));
    let found = search(pb::SearchOrdersRequest { product_id: bulb.clone(), ..by() }).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&bobs.id));
    let text = bobs.number.to_lowercase();
    assert_eq!(search(pb::SearchOrdersRequest { text, ..by() }).await.unwrap(), [bobs.id]);
    let sort = "-total".to_owned();
    let found = search(pb::SearchOrdersRequest { sort, ..by() }).await.unwrap();
    assert_eq!(found[..2], own[..2]);
    let status = "processing".to_owned();
    assert!(search(pb::SearchOrdersRequest { status, ..by() }).await.unwrap().is_empty());
    let status = "lost".to_owned();
    let broken = search(pb::SearchOrdersRequest { status, sort: "x".into(), ..by() }).await;
    assert_eq!(broken.unwrap_err().violations.len(), 2);
}

async fn a_paused_owners_late_write_hits_nothing(stage: &Stage) {
    let buyer = Person::new(&[]);
    let lamp = stage.product("10", 5).await;
    stage.add(&buyer, &lamp, 1).await;
    let order = stage.place(&buyer, SECOND_STEP, "").await.unwrap().order.unwrap();
    // another process takes the saga over and holds it
    stage
        .tamper(
            "UPDATE saga SET version = version + 1, owner = (SELECT id FROM orders LIMIT 1), \
             lease_until = '2099-01-01 00:00:00+00:00'",
        )
        .await;
    let approve = pb::CompleteActionRequest { order_id: order.id.clone(), approve: true };
    buyer.asks(stage.payments().complete_action(approve)).await.unwrap();
    stage::eventually("the payment is known", || async {
        let known = stage.rows("SELECT state FROM payment").await;
        (known[0]["state"] == "authorised").then_some(())
    })
    .await;
    for _ in 0..200 {
        let now = stage.order(&buyer, &order.id).await.unwrap();
        assert_eq!(now.status, "awaiting_payment", "somebody else holds it");
    }
    // it dies
    stage
        .tamper(
            "UPDATE saga SET lease_until = '2000-01-01 00:00:00+00:00', \
             next_at = '2000-01-01 00:00:00+00:00'",
        )
        .await;
    stage.becomes(&order.id, "confirmed").await;
    assert_eq!(stage.stock(&lamp).await, 4);
}

async fn s36_staff_who_look_at_an_order_leave_an_entry(stage: &Stage) {
    let (buyer, staff) = (Person::new(&[]), staff());
    let lamp = stage.product("10", 5).await;
    let order = stage.bought(&buyer, &lamp, 1).await;
    let read = |person: &Person, as_staff| {
        let request = pb::GetOrderRequest { id: order.number.clone(), as_staff };
        let (mut orders, person) = (stage.orders(), person.clone());
        async move { person.asks(orders.get_order(request)).await.unwrap() }
    };
    read(&buyer, false).await;
    read(&staff, true).await;
    let readers = stage::eventually("the look is an entry", || async {
        Some(stage.readers(&order.id).await).filter(|readers| readers.contains(&staff.id))
    });
    assert!(!readers.await.contains(&buyer.id));
}
