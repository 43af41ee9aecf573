//! Temporary subscriptions: hear what happens while they are there.
use std::time::Duration;

use futures::StreamExt;
use souk_events::{BusError, Signal};
use tokio::time::timeout;

use super::{CHANGED, Place, STOCK, USER, event, events, next, publish};

fn version(signal: Signal) -> Option<u64> {
    match signal {
        Signal::Event(event) => Some(event.version),
        Signal::Gap => None,
    }
}

pub(crate) async fn a_subscription_hears_what_it_wants_and_ends_with_its_bus(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &[event(CHANGED, 0)]).await;
    let mut one = bus.subscribe("souk.gateway.one", &["catalog.product.*.v1"]).await.unwrap();
    let mut other = bus.subscribe("souk.gateway.other", &["#"]).await.unwrap();
    publish(&bus, &[event(USER, 1), event(CHANGED, 2), event(STOCK, 3), event(CHANGED, 4)]).await;
    // A listener counts as a route.
    publish(&bus, &[event("souk.orders.order.placed.v1", 5)]).await;
    assert_eq!(version(next(&mut one).await), Some(2));
    assert_eq!(version(next(&mut one).await), Some(4));
    for expected in 1..=5 {
        assert_eq!(version(next(&mut other).await), Some(expected));
    }
    drop(other);
    super::eventually("the queue goes with its listener", || async {
        let results = bus.publish(&[event("souk.orders.order.placed.v1", 6)]).await;
        matches!(results[0], Err(BusError::Unroutable(_)))
    })
    .await;
    drop(bus);
    let end = timeout(Duration::from_secs(180), one.next()).await.expect("it never ended");
    assert!(end.is_none(), "{end:?}");
}

pub(crate) async fn a_subscriber_that_lags_is_told_of_the_gap(place: &Place) {
    let bus = place.open().await;
    let mut slow = bus.subscribe("souk.gateway.slow", &["accounts.#"]).await.unwrap();
    publish(&bus, &events(USER, 0..3000)).await;
    let mut gaps = 0;
    loop {
        match next(&mut slow).await {
            Signal::Gap => gaps += 1,
            Signal::Event(event) if event.version == 2999 => break,
            Signal::Event(_) => {}
        }
    }
    assert!(gaps >= 1);
}
