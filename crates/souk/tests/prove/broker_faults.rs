//! RabbitMQ dies with messages that it has not confirmed, and is away for a while: the shop and
//! the desk work on, and everything arrives later.
use std::time::Duration;

use crate::amounts::{amount, between, is_full, kills};
use crate::broker::Broker;
use crate::checker::judge;
use crate::evidence::show;
use crate::facts::{Letterbox, gather};
use crate::house::{Ground, House};
use crate::load::{History, Load};
use crate::verdict::Verdict;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_broker_under_unconfirmed_messages_loses_and_doubles_nothing() {
    let mut broker = Broker::start().await;
    let house = House::whole(Ground::private_broker(&broker.url()).await).await;
    let load = Load::start(&house.client).await;
    load.begin("broker killed");
    for _ in 0..kills() {
        load.progress(load.done() + usize::try_from(between(10, 40)).unwrap()).await;
        broker.kill().await;
        load.killed();
        load.progress(load.done() + 10).await;
        broker.open().await;
    }
    let (history, verdict) = conclude(&house, load).await;
    show("broker", "Kill -9 of RabbitMQ under load, PostgreSQL, letters in a folder", &verdict);
    verdict.must_be_kept(|_| 0);
    nothing_failed(&history, &verdict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shop_and_desk_work_on_while_the_broker_is_away() {
    let mut broker = Broker::start().await;
    let house = House::whole(Ground::private_broker(&broker.url()).await).await;
    let load = Load::start(&house.client).await;
    load.begin("broker away");
    for _ in 0..amount(1, 3) {
        broker.stop().await;
        // the absence itself is the fault: as long as it is to last
        let absence = if is_full() { 60 } else { 5 };
        let done = load.done();
        tokio::time::sleep(Duration::from_secs(absence)).await;
        load.progress(done + 20).await;
        // not ready would mean that nobody is sent here any more
        assert_eq!(house.client.status("/readyz").await, Some(200));
        broker.open().await;
        load.killed();
    }
    let (history, verdict) = conclude(&house, load).await;
    show("broker", "RabbitMQ away (5 s, full: a minute), PostgreSQL, letters in a folder", &verdict);
    verdict.must_be_kept(|_| 0);
    nothing_failed(&history, &verdict);
}

async fn conclude(house: &House, load: Load) -> (History, Verdict) {
    load.progress(load.done() + 10).await;
    let history = load.end().await;
    let data = house.data();
    let facts = gather(&house.client, &history, Letterbox::Folder(&data)).await;
    let verdict = judge(&history, &facts);
    (history, verdict)
}

/// Nobody outside may notice.
fn nothing_failed(history: &History, verdict: &Verdict) {
    let failed = history.failed();
    assert!(failed.is_empty(), "{} requests failed: {failed:?}\n{verdict}", failed.len());
}
