//! Rows and changes are committed together or not at all.
use std::sync::Arc;
use std::time::Instant;

use chrono::Duration;
use sea_orm::ConnectionTrait;
use souk_events::outbox::{self, ListError};
use souk_events::{NewEvent, Outbox, Relay, registry};
use souk_storage::{migrate, roll_back};
use souk_values::{Clock, Cursor, Page};
use tokio_util::sync::CancellationToken;

use crate::home::{Home, on_both, until};
use crate::scripted::ScriptedBus;

pub(crate) fn event(key: &str, version: u64) -> NewEvent {
    NewEvent {
        event_type: registry::PRODUCT_CHANGED,
        subject: format!("product/{key}"),
        partition_key: key.to_owned(),
        version,
        payload: vec![1, 2, 3],
        traceparent: None,
    }
}

pub(crate) fn box_of(clock: Clock) -> Outbox {
    Outbox::new("catalog", clock)
}

/// Appends and commits.
pub(crate) async fn tell(home: &Home, outbox: &Outbox, events: Vec<NewEvent>) {
    let tx = home.db.begin().await.unwrap();
    outbox.append(&tx, events).await.unwrap();
    tx.commit().await.unwrap();
    outbox.wake();
}

/// Runs a relay until nothing waits.
pub(crate) async fn send_all(home: &Home, outbox: &Outbox, bus: &ScriptedBus) {
    let stop = CancellationToken::new();
    let relay = Relay::new(home.db.clone(), Arc::new(bus.clone()), outbox.clone());
    let relay = tokio::spawn(relay.run(stop.clone()));
    let backlog = async || home.number("SELECT COUNT(*) FROM outbox").await == 0;
    until("the outbox is empty", backlog).await;
    stop.cancel();
    relay.await.unwrap();
}

async fn a_change_that_is_rolled_back_emits_nothing(home: Home) {
    let outbox = box_of(Clock::system());
    let mut expected = Vec::new();
    for n in 0..100 {
        let tx = home.db.begin().await.unwrap();
        tx.execute_unprepared("INSERT INTO effect (subject) VALUES ('x')").await.unwrap();
        let told = outbox.append(&tx, vec![event(&format!("p{n}"), 1)]).await.unwrap();
        match n % 3 {
            0 => tx.rollback().await.unwrap(),
            1 if n % 2 == 0 => drop(tx),
            _ => {
                tx.commit().await.unwrap();
                expected.push(told[0].id);
            }
        }
    }
    let bus = ScriptedBus::good();
    send_all(&home, &outbox, &bus).await;
    let mut arrived: Vec<_> = bus.log().arrived.iter().map(|event| event.id).collect();
    arrived.sort_unstable();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
    assert_eq!(home.effects().await, expected.len() as i64);
}

async fn an_event_arrives_as_it_was_told(home: Home) {
    let clock = Clock::fixed(Clock::system().now());
    let outbox = box_of(clock.clone());
    let tx = home.db.begin().await.unwrap();
    let told = outbox.append(&tx, vec![event("p1", 7), event("p2", 1)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(told[0].source, "/catalog");
    assert_eq!((told[0].epoch, told[0].version, told[0].time), (1, 7, clock.now()));
    let bus = ScriptedBus::good();
    send_all(&home, &outbox, &bus).await;
    assert_eq!(bus.log().arrived, told);
}

async fn a_payload_over_64_kib_fails_the_change(home: Home) {
    let outbox = box_of(Clock::system());
    let tx = home.db.begin().await.unwrap();
    let payload = vec![0; outbox::MAX_PAYLOAD + 1];
    let big = NewEvent { payload, ..event("p", 1) };
    assert!(outbox.append(&tx, vec![event("p", 1), big]).await.is_err());
    tx.rollback().await.unwrap();
    let payload = vec![0; outbox::MAX_PAYLOAD];
    tell(&home, &outbox, vec![NewEvent { payload, ..event("p", 1) }]).await;
    assert_eq!(home.number("SELECT COUNT(*) FROM outbox").await, 1);
}

async fn an_import_appends_many_in_order(home: Home) {
    let outbox = box_of(Clock::system());
    let events: Vec<_> = (0..1234).map(|n| event(&format!("p{n}"), n)).collect();
    tell(&home, &outbox, events).await;
    let tx = home.db.begin().await.unwrap();
    let five_hundred = (0..500).map(|n| event(&format!("q{n}"), n)).collect();
    let begin = Instant::now();
    outbox.append(&tx, five_hundred).await.unwrap();
    println!("500 events appended in {:?}", begin.elapsed());
    tx.rollback().await.unwrap();
    let turned = "SELECT COUNT(*) FROM outbox WHERE version + (SELECT MIN(seq) FROM outbox) <> seq";
    assert_eq!(home.number("SELECT COUNT(*) FROM outbox").await, 1234);
    assert_eq!(home.number(turned).await, 0);
}

async fn the_list_shows_sent_and_waiting_newest_first(home: Home) {
    let outbox = box_of(Clock::system());
    tell(&home, &outbox, (0..3).map(|n| event("sent", n)).collect()).await;
    send_all(&home, &outbox, &ScriptedBus::good()).await;
    tell(&home, &outbox, (3..5).map(|n| event("waiting", n)).collect()).await;
    let mut versions = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = Page::new(2, &cursor).unwrap();
        let (rows, next) = outbox::list(&home.db, &page, None).await.unwrap();
        versions.extend(rows.iter().map(|row| (row.envelope.version, row.status())));
        let Some(next) = next else { break };
        next.as_str().clone_into(&mut cursor);
    }
    let expected = [(4, "waiting"), (3, "waiting"), (2, "sent"), (1, "sent"), (0, "sent")];
    assert_eq!(versions, expected);

    let page = Page::new(0, "").unwrap();
    let (all, _) = outbox::list(&home.db, &page, None).await.unwrap();
    let id = all[3].envelope.id;
    let (one, next) = outbox::list(&home.db, &page, Some(id)).await.unwrap();
    assert_eq!((one.len(), next), (1, None));
    assert_eq!(one[0], all[3]);

    let wrong = Page { limit: 1, cursor: Some(Cursor::encode(&"seven")) };
    let refused = outbox::list(&home.db, &wrong, None).await;
    assert!(matches!(refused, Err(ListError::Cursor(_))));
}

async fn sent_events_are_kept_for_fourteen_days(home: Home) {
    let clock = Clock::fixed(Clock::system().now());
    let outbox = box_of(clock.clone());
    tell(&home, &outbox, (0..1500).map(|n| event(&format!("p{n}"), n)).collect()).await;
    send_all(&home, &outbox, &ScriptedBus::good()).await;
    clock.advance(Duration::days(14));
    assert_eq!(outbox::prune(&home.db, &clock).await.unwrap(), 0);
    clock.advance(Duration::seconds(1));
    tell(&home, &outbox, vec![event("young", 1)]).await;
    let mut slices = Vec::new();
    while slices.last() != Some(&0) {
        slices.push(outbox::prune(&home.db, &clock).await.unwrap());
    }
    assert_eq!(slices, [1000, 500, 0]);
    assert_eq!(home.number("SELECT COUNT(*) FROM outbox").await, 1);
}

async fn a_restored_backup_speaks_in_a_new_epoch(home: Home) {
    let outbox = box_of(Clock::system());
    tell(&home, &outbox, vec![event("p", 9)]).await;
    let tx = home.db.begin().await.unwrap();
    assert_eq!(outbox.raise_epoch(&tx).await.unwrap(), 2);
    tx.commit().await.unwrap();
    tell(&home, &outbox, vec![event("p", 3)]).await;
    let bus = ScriptedBus::good();
    send_all(&home, &outbox, &bus).await;
    let newest = bus.log().arrived.iter().map(|event| (event.epoch, event.version)).max();
    assert_eq!(newest, Some((2, 3)));
}

async fn the_migrations_go_up_twice_and_down_and_up(home: Home) {
    let lists = [souk_events::migrations as souk_storage::Migrations];
    migrate(&home.db, &lists).await.unwrap();
    roll_back(&home.db, &lists).await.unwrap();
    migrate(&home.db, &lists).await.unwrap();
    assert_eq!(home.number("SELECT COUNT(*) FROM outbox_epoch").await, 1);
}

on_both!(
    a_change_that_is_rolled_back_emits_nothing,
    an_event_arrives_as_it_was_told,
    a_payload_over_64_kib_fails_the_change,
    an_import_appends_many_in_order,
    the_list_shows_sent_and_waiting_newest_first,
    sent_events_are_kept_for_fourteen_days,
    a_restored_backup_speaks_in_a_new_epoch,
    the_migrations_go_up_twice_and_down_and_up,
);
