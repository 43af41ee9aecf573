//! A repeated request with its key.
use std::collections::HashSet;

use souk_proto::orders::v1 as pb;
use souk_proto::orders::v1::place_order_response::Outcome;
use souk_rpc::Kind;

use super::stage::{self, Person, SECOND_STEP, Stage, checkout, eventually, refusal, staff};

stage::on_both! {
    fifty_at_once_with_one_key_make_one_order
    a_key_belongs_to_one_request_of_one_customer
    an_answer_is_what_the_first_caller_got
    a_refund_is_made_once_for_its_key
    two_keys_for_one_cart_make_one_order
}

async fn fifty_at_once_with_one_key_make_one_order(stage: &Stage) {
    let buyer = Person::new(&[]);
    let lamp = stage.product("10", 100).await;
    for key in ["k1", "k2", "k3"] {
        stage.add(&buyer, &lamp, 1).await;
        let calls = (0..50).map(|_| stage.place(&buyer, "", key));
        let mut answers = Vec::new();
        for answer in futures::future::join_all(calls).await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(failure) => {
                    assert_eq!(failure.reason, "idempotency_key_in_flight", "{failure:?}");
                    assert!(failure.retry_after.is_some());
                }
            }
        }
        for _ in 0..3 {
            answers.push(stage.place(&buyer, "", key).await.unwrap());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{key}");
        assert_eq!(answers[0].outcome(), Outcome::Confirmed);
    }
    let list = buyer.asks(stage.orders().list_orders(pb::ListOrdersRequest::default())).await;
    assert_eq!(list.unwrap().items.len(), 3);
    assert_eq!(stage.stock(&lamp).await, 97);
}

async fn a_key_belongs_to_one_request_of_one_customer(stage: &Stage) {
    let (ada, bob) = (Person::new(&[]), Person::new(&[]));
    let lamp = stage.product("10", 100).await;
    stage.add(&ada, &lamp, 1).await;
    stage.add(&bob, &lamp, 2).await;
    let adas = stage.place(&ada, "", "k").await.unwrap();
    let bobs = stage.place(&bob, "", "k").await.unwrap();
    assert_ne!(adas.order.unwrap().id, bobs.order.unwrap().id);
    let other = pb::CheckoutRequest { note: "please".to_owned(), ..checkout("") };
    let refused = refusal(stage.place_with(&ada, other, "k").await);
    assert_eq!(refused, (Kind::Invalid, "idempotency_key_reused".to_owned()));
}

async fn an_answer_is_what_the_first_caller_got(stage: &Stage) {
    let buyer = Person::new(&[]);
    let lamp = stage.product("10", 100).await;
    stage.add(&buyer, &lamp, 1).await;
    let card = stage.card(&buyer, SECOND_STEP).await;
    let first = stage.place_with(&buyer, checkout(&card), "k").await.unwrap();
    assert_eq!(first.outcome(), Outcome::InProgress);
    let order = first.order.clone().unwrap();
    let approve = pb::CompleteActionRequest { order_id: order.id.clone(), approve: true };
    buyer.asks(stage.payments().complete_action(approve)).await.unwrap();
    stage.becomes(&order.id, "confirmed").await;
    assert_eq!(stage.place_with(&buyer, checkout(&card), "k").await.unwrap(), first);
}

async fn a_refund_is_made_once_for_its_key(stage: &Stage) {
    let (buyer, staff) = (Person::new(&[]), staff());
    let lamp = stage.product("10", 100).await;
    let order = stage.bought(&buyer, &lamp, 5).await;
    let request = |amount: &str| pb::RefundOrderRequest {
        id: order.id.clone(),
        amount: Some(amount.to_owned()),
        idempotency_key: "r".to_owned(),
        fingerprint: amount.as_bytes().to_vec(),
        ..Default::default()
    };
    let calls = (0..20).map(|_| stage.refund(&staff, request("7.50")));
    let done = futures::future::join_all(calls).await;
    let first = stage.refund(&staff, request("7.50")).await.unwrap();
    assert_eq!((first.refunded_minor, first.refunds.len()), (750, 1));
    for answer in done {
        match answer {
            Ok(answer) => assert_eq!(answer, first),
            Err(failure) => assert_eq!(failure.reason, "idempotency_key_in_flight"),
        }
    }
    let other = refusal(stage.refund(&staff, request("1")).await);
    assert_eq!(other, (Kind::Invalid, "idempotency_key_reused".to_owned()));
}

async fn two_keys_for_one_cart_make_one_order(stage: &Stage) {
    let lamp = stage.product("10", 100).await;
    for _ in 0..5 {
        let buyer = Person::new(&[]);
        stage.add(&buyer, &lamp, 1).await;
        let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
        let calls = keys.iter().map(|key| stage.place(&buyer, "", key));
        let mut made = HashSet::new();
        for answer in futures::future::join_all(calls).await {
            match answer {
                Ok(answer) => drop(made.insert(answer.order.unwrap().id)),
                Err(failure) => {
                    let lost = ["cart_changed", "cart_empty"];
                    assert!(lost.contains(&failure.reason.as_str()), "{failure:?}");
                }
            }
        }
        assert_eq!(made.len(), 1);
    }
    eventually("all are confirmed", || async {
        let left = stage.rows("SELECT id FROM saga").await;
        left.is_empty().then_some(())
    })
    .await;
    assert_eq!(stage.stock(&lamp).await, 95);
}
