//! Who gets what.
use std::collections::BTreeSet;

use souk_events::BusError;

use super::{
    ACCOUNT, CHANGED, COUNT, MAIL, Place, STOCK, USER, depth_becomes, event, events, is_quiet,
    next, publish, take,
};

pub(crate) async fn a_message_goes_to_every_queue_that_wants_it_and_to_no_other(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &[event(CHANGED, 1), event(STOCK, 2), event(USER, 3)]).await;
    for (queue, expected) in [(MAIL, vec![1]), (COUNT, vec![1, 2]), (ACCOUNT, vec![3])] {
        let mut deliveries = bus.consume(queue, 10).await.unwrap();
        for version in expected {
            let (got, attempt, answer) = take(&mut deliveries).await;
            assert_eq!((got, attempt), (version, 1), "{queue}");
            answer.ack().await.unwrap();
        }
        assert!(is_quiet(&mut deliveries).await, "{queue}");
    }
}

pub(crate) async fn an_envelope_arrives_as_it_was_sent(place: &Place) {
    let bus = place.open().await;
    let mut sent = event(USER, 7);
    sent.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    sent.payload = [0_u8, 255, 10].repeat(20_000).into();
    publish(&bus, std::slice::from_ref(&sent)).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.envelope.unwrap(), sent);
    delivery.answer.ack().await.unwrap();
}

pub(crate) async fn a_message_that_nobody_wants_is_unroutable_and_its_neighbors_are_not(
    place: &Place,
) {
    let bus = place.open().await;
    let batch = [event(USER, 1), event("souk.orders.order.placed.v1", 2), event(USER, 3)];
    let results = bus.publish(&batch).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    let unroutable = results[1].as_ref().unwrap_err();
    assert!(matches!(unroutable, BusError::Unroutable(key) if key == "orders.order.placed.v1"));
    depth_becomes(&bus, ACCOUNT, (2, 0)).await;
}

pub(crate) async fn a_message_can_be_sent_to_one_queue_alone(place: &Place) {
    let bus = place.open().await;
    bus.send_to(MAIL, &event(CHANGED, 5)).await.unwrap();
    let missing = bus.send_to("nobody.v1", &event(CHANGED, 6)).await.unwrap_err();
    assert!(matches!(missing, BusError::Unroutable(_)), "{missing:?}");
    let mut deliveries = bus.consume(MAIL, 1).await.unwrap();
    let (version, _, answer) = take(&mut deliveries).await;
    assert_eq!(version, 5);
    answer.ack().await.unwrap();
    assert_eq!(bus.depth(COUNT).await.unwrap(), (0, 0));
}

pub(crate) async fn the_prefetch_is_respected(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &events(USER, 0..5)).await;
    let mut deliveries = bus.consume(ACCOUNT, 3).await.unwrap();
    let mut held = Vec::new();
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let (version, _, answer) = take(&mut deliveries).await;
        seen.insert(version);
        held.push(answer);
    }
    assert!(is_quiet(&mut deliveries).await);
    depth_becomes(&bus, ACCOUNT, (2, 0)).await;
    held.pop().unwrap().ack().await.unwrap();
    let (version, _, answer) = take(&mut deliveries).await;
    seen.insert(version);
    assert!(is_quiet(&mut deliveries).await);
    answer.ack().await.unwrap();
    let (version, _, answer) = take(&mut deliveries).await;
    seen.insert(version);
    held.push(answer);
    assert_eq!(seen, (0..5).collect());
    for answer in held {
        answer.ack().await.unwrap();
    }
}
