//! How a process ends.

use souk_storage::{Database, DatabaseSettings};
use souk_values::Page;

use crate::tenants::{Stage, desk, door, eventually, get};

#[tokio::test(flavor = "multi_thread")]
async fn doors_close_first_then_work_ends_then_the_relay_sends_the_rest() {
    let stage = Stage::new();
    let house = stage.start(&[door(), desk()], &[]).await.unwrap();
    assert!(house.stop().await);
    let diary: Vec<String> =
        stage.diary().into_iter().filter(|line| line != "tick" && line != "door built").collect();
    let (doors, work) = diary.split_at(2);
    assert!(doors.iter().all(|line| line.ends_with("closed")), "{diary:?}");
    assert_eq!(work, ["work ended"]);
    let dir = stage.data_dir();
    let db = Database::open(&DatabaseSettings::default(), &dir, "accounts").await.unwrap();
    let page = Page::new(100, "").unwrap();
    let (rows, _) = souk_events::outbox::list(&db, &page, None).await.unwrap();
    assert!(rows.len() == 1 && rows[0].sent_at.is_some(), "{rows:?}");
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_answered_and_no_new_one_is_taken() {
    let stage = Stage::new();
    let house = stage.start(&[door(), desk()], &[]).await.unwrap();
    let site = house.address("site").unwrap();
    let slow = tokio::spawn(get(site, "/slow"));
    stage.until("slow arrived").await;
    let stop = tokio::spawn(house.stop());
    eventually("the door is closed", || async { get(site, "/").await.is_err() }).await;
    assert!(!stop.is_finished() && !slow.is_finished());
    assert!(!stage.diary().contains(&"work ended".to_owned()), "work ended before the doors");
    stage.release();
    assert!(slow.await.unwrap().unwrap().ends_with("slow but complete"));
    assert!(stop.await.unwrap());
    let diary = stage.diary();
    let at = |line: &str| diary.iter().position(|l| l == line).unwrap();
    assert!(at("slow answered") < at("work ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_end_is_given_up_after_the_drain() {
    let stage = Stage::new();
    let house = stage.start(&[door(), desk()], &[("stop.drain_s", "0")]).await.unwrap();
    let slow = tokio::spawn(get(house.address("site").unwrap(), "/slow"));
    stage.until("slow arrived").await;
    assert!(!house.stop().await, "a stop that left something behind said it was clean");
    stage.until("work ended").await;
    stage.release();
    let _ = slow.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_that_is_told_to_stop_says_so_before_it_closes() {
    let stage = Stage::new();
    let house = stage.start(&[door(), desk()], &[("stop.delay_s", "2")]).await.unwrap();
    let site = house.address("site").unwrap();
    let stop = tokio::spawn(house.run_until(std::future::ready(())));
    eventually("not ready, still answering", || async {
        get(site, "/ready").await.unwrap().ends_with("down: [serving]")
    })
    .await;
    assert!(stop.await.unwrap());
    assert!(get(site, "/").await.is_err());
}
