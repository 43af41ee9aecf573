//! What becomes of a message once it was answered, or was not.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{ACCOUNT, Place, USER, depth_becomes, event, events, is_quiet, next, publish, take};

pub(crate) async fn an_acknowledged_message_never_comes_again(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &[event(USER, 1)]).await;
    let mut deliveries = bus.consume(ACCOUNT, 5).await.unwrap();
    take(&mut deliveries).await.2.ack().await.unwrap();
    assert!(is_quiet(&mut deliveries).await);
    drop((deliveries, bus));
    let bus = place.open().await;
    let mut deliveries = bus.consume(ACCOUNT, 5).await.unwrap();
    assert!(is_quiet(&mut deliveries).await);
    depth_becomes(&bus, ACCOUNT, (0, 0)).await;
}

pub(crate) async fn a_retried_message_comes_later_and_counts(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &events(USER, 1..3)).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    for round in 1..=3 {
        let (version, attempt, answer) = take(&mut deliveries).await;
        let begun = Instant::now();
        if round == 1 {
            assert_eq!((version, attempt), (1, 1));
            answer.retry(Duration::from_millis(900)).await.unwrap();
            // Its neighbor is not held up.
            let (version, attempt, answer) = take(&mut deliveries).await;
            assert_eq!((version, attempt), (2, 1));
            answer.ack().await.unwrap();
            assert!(begun.elapsed() < Duration::from_millis(900));
            depth_becomes(&bus, ACCOUNT, (1, 0)).await;
        } else {
            assert_eq!((version, attempt), (1, round));
            if round == 3 {
                return answer.ack().await.unwrap();
            }
            answer.retry(Duration::from_millis(900)).await.unwrap();
        }
        let (version, attempt, answer) = take(&mut deliveries).await;
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
        assert_eq!((version, attempt), (1, round + 1));
        answer.release().await.unwrap();
    }
}

pub(crate) async fn a_released_message_comes_again_uncounted(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &[event(USER, 1)]).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    for _ in 0..25 {
        let (version, attempt, answer) = take(&mut deliveries).await;
        assert_eq!((version, attempt), (1, 1));
        answer.release().await.unwrap();
    }
    drop(deliveries);
    depth_becomes(&bus, ACCOUNT, (1, 0)).await;
}

pub(crate) async fn a_dropped_message_comes_again(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &[event(USER, 1)]).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    drop(next(&mut deliveries).await);
    let (version, attempt, answer) = take(&mut deliveries).await;
    assert_eq!((version, attempt), (1, 2));
    answer.ack().await.unwrap();
}

pub(crate) async fn a_parked_message_waits_among_the_dead_letters_with_its_reason(place: &Place) {
    let bus = place.open().await;
    let sent = event(USER, 1);
    publish(&bus, std::slice::from_ref(&sent)).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    take(&mut deliveries).await.2.retry(Duration::ZERO).await.unwrap();
    let (_, attempt, answer) = take(&mut deliveries).await;
    assert_eq!(attempt, 2);
    answer.park("no such template").await.unwrap();
    depth_becomes(&bus, ACCOUNT, (0, 1)).await;

    let mut dead = bus.consume_dead(ACCOUNT).await.unwrap();
    let letter = next(&mut dead).await;
    assert_eq!((letter.queue.as_str(), letter.attempts), (ACCOUNT, 2));
    assert_eq!(letter.reason, "no such template");
    assert_eq!(letter.envelope, sent);
    let age = souk_values::Clock::system().now() - letter.parked_at;
    assert!((0..60).contains(&age.num_seconds()), "{age}");
    letter.answer.release().await.unwrap();

    let letter = next(&mut dead).await;
    assert_eq!((letter.reason.as_str(), letter.attempts), ("no such template", 2));
    letter.answer.ack().await.unwrap();
    drop(dead);
    depth_becomes(&bus, ACCOUNT, (0, 0)).await;
}

pub(crate) async fn one_poisoned_message_holds_up_none_of_999(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &events(USER, 0..1000)).await;
    let mut deliveries = bus.consume(ACCOUNT, 50).await.unwrap();
    let mut good = BTreeSet::new();
    for _ in 0..1000 {
        let (version, _, answer) = take(&mut deliveries).await;
        if version == 500 {
            answer.park("poisoned").await.unwrap();
        } else {
            assert!(good.insert(version));
            answer.ack().await.unwrap();
        }
    }
    assert_eq!(good.len(), 999);
    assert!(is_quiet(&mut deliveries).await);
    depth_becomes(&bus, ACCOUNT, (0, 1)).await;
}
