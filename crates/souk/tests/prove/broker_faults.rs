//! RabbitMQ dies with messages that it has not confirmed, and is away for a while: the shop and
//! the desk work on, and everything arrives later.
use std::time::Duration;

use crate::amounts::{amount, between, is_full, kills};
use crate::broker::Broker;
use crate::buyers::verified;
use crate::checker::judge;
use crate::evidence::show;
use crate::facts::{Letterbox, gather};
use crate::house::{Ground, House};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_or_is_away_disturbs_nobody_and_everything_arrives_later() {
    let mut broker = Broker::start().await;
    let house = House::whole(Ground::private_broker(&broker.url()).await).await;
    let load = Load::start(&house.client).await;
    load.begin("broker killed, messages unconfirmed");
    for _ in 0..kills() {
        load.progress(load.done() + usize::try_from(between(10, 40)).unwrap()).await;
        broker.kill().await;
        load.killed();
        load.progress(load.done() + 10).await;
        broker.open().await;
    }
    // the absence itself is the fault: as long as it is to last
    let absence = if is_full() { 60 } else { 5 };
    load.begin(&format!("broker away for {absence} s"));
    for _ in 0..amount(1, 3) {
        broker.stop().await;
        let done = load.done();
        tokio::time::sleep(Duration::from_secs(absence)).await;
        load.progress(done + 20).await;
        // not ready would mean that nobody is sent here any more
        assert_eq!(house.client.status("/readyz").await, Some(200));
        broker.open().await;
        load.killed();
    }
    load.progress(load.done() + 10).await;
    let history = load.end().await;
    let data = house.data();
    let facts = gather(&house.client, &history, Letterbox::Folder(&data)).await;
    let verdict = judge(&history, &facts);
    show("broker", "RabbitMQ dies and is away, PostgreSQL, letters in a folder", &verdict);
    verdict.must_be_kept(|_| 0);
    // nobody outside may notice
    let failed = history.failed();
    assert!(failed.is_empty(), "{} requests failed: {failed:?}\n{verdict}", failed.len());
    println!("{}", verified(&house).await);
}
