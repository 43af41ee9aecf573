//! Many messages, many tasks, and buses that are closed in between.
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use super::{
    ACCOUNT, CHANGED, COUNT, MAIL, Place, QUIET, USER, depth_becomes, event, events, is_quiet,
    next, publish, take,
};

pub(crate) async fn what_was_not_answered_comes_again_after_the_bus_was_closed(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &events(USER, 0..4)).await;
    let mut deliveries = bus.consume(ACCOUNT, 2).await.unwrap();
    let (version, attempt, answer) = take(&mut deliveries).await;
    assert_eq!((version, attempt), (0, 1));
    answer.ack().await.unwrap();
    let (version, _, held) = take(&mut deliveries).await;
    assert_eq!(version, 1);
    drop((held, deliveries, bus));

    let bus = place.open().await;
    let mut deliveries = bus.consume(ACCOUNT, 10).await.unwrap();
    let mut attempts = BTreeMap::<_, Vec<_>>::new();
    while !(1..4).all(|version| attempts.contains_key(&version)) {
        let (version, attempt, answer) = take(&mut deliveries).await;
        attempts.entry(version).or_default().push(attempt);
        answer.ack().await.unwrap();
    }
    while let Ok(late) = timeout(QUIET, take(&mut deliveries)).await {
        attempts.entry(late.0).or_default().push(late.1);
        late.2.ack().await.unwrap();
    }
    assert!(attempts[&1].iter().any(|tried| *tried >= 2), "what was in hand has been tried");
    // At least once: an acknowledgement waits for nobody, so that the last one before the closing may be lost; and what
    // had been fetched is published anew before its original is acknowledged. Never more than both.
    assert!(attempts.values().all(|copies| copies.len() <= 2), "{attempts:?}");
    depth_becomes(&bus, ACCOUNT, (0, 0)).await;
}

pub(crate) async fn dead_letters_and_retries_survive_the_closing_of_the_bus(place: &Place) {
    let bus = place.open().await;
    publish(&bus, &events(USER, 0..2)).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    take(&mut deliveries).await.2.park("poisoned").await.unwrap();
    take(&mut deliveries).await.2.retry(Duration::from_millis(500)).await.unwrap();
    drop((deliveries, bus));

    let bus = place.open().await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    let (version, attempt, answer) = take(&mut deliveries).await;
    assert_eq!((version, attempt), (1, 2));
    answer.ack().await.unwrap();
    let letter = next(&mut bus.consume_dead(ACCOUNT).await.unwrap()).await;
    assert_eq!((letter.envelope.version, letter.reason.as_str()), (0, "poisoned"));
    letter.answer.ack().await.unwrap();
}

pub(crate) async fn two_publishers_in_parallel_keep_their_order(place: &Place) {
    let bus = place.open().await;
    let publisher = |from: u64| {
        let bus = bus.clone();
        async move {
            for start in (from..from + 500).step_by(25) {
                publish(&bus, &events(USER, start..start + 25)).await;
            }
        }
    };
    let mut deliveries = bus.consume(ACCOUNT, 100).await.unwrap();
    let consumer = async {
        let mut last = [None, None];
        for _ in 0..1000 {
            let (version, _, answer) = take(&mut deliveries).await;
            let last = &mut last[usize::from(version >= 10_000)];
            assert!(last.is_none_or(|last| last < version), "{version} after {last:?}");
            *last = Some(version);
            answer.ack().await.unwrap();
        }
    };
    tokio::join!(publisher(0), publisher(10_000), consumer);
}

pub(crate) async fn of_20000_messages_none_is_lost_and_none_doubled(place: &Place) {
    const ALL: u64 = 20_000;
    let bus = place.open().await;
    let publisher = |from: u64| {
        let bus = bus.clone();
        tokio::spawn(async move {
            for start in (from..from + ALL / 4).step_by(100) {
                publish(&bus, &events(USER, start..start + 100)).await;
            }
        })
    };
    let publishers = [0, 1, 2, 3].map(|quarter| publisher(quarter * ALL / 4));
    let mut deliveries = bus.consume(ACCOUNT, 256).await.unwrap();
    let mut seen = vec![0_u8; usize::try_from(ALL).unwrap()];
    for _ in 0..ALL {
        let (version, attempt, answer) = take(&mut deliveries).await;
        assert_eq!(attempt, 1);
        seen[usize::try_from(version).unwrap()] += 1;
        answer.ack().await.unwrap();
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert!(seen.iter().all(|&times| times == 1));
    assert!(is_quiet(&mut deliveries).await);
    depth_becomes(&bus, ACCOUNT, (0, 0)).await;
}

pub(crate) async fn an_absent_consumer_holds_up_nobody(place: &Place) {
    let bus = place.open().await;
    // MAIL is never consumed here; COUNT's consumer takes one and sleeps on it.
    let mut sleeping = bus.consume(COUNT, 1).await.unwrap();
    publish(&bus, &[event(CHANGED, 0)]).await;
    let (_, _, slept_on) = take(&mut sleeping).await;
    let mut deliveries = bus.consume(ACCOUNT, 50).await.unwrap();
    for round in 0..10 {
        publish(&bus, &events(CHANGED, round * 50..round * 50 + 50)).await;
        publish(&bus, &events(USER, round * 50..round * 50 + 50)).await;
        for _ in 0..50 {
            take(&mut deliveries).await.2.ack().await.unwrap();
        }
    }
    depth_becomes(&bus, MAIL, (501, 0)).await;
    depth_becomes(&bus, COUNT, (500, 0)).await;
    slept_on.ack().await.unwrap();
}
