//! Sealing: one chain without a gap, however many write and seal.
use std::time::Duration;

use futures::future::join_all;
use souk_audit::Filter;
use souk_testkit::{on_both, until_some};

use crate::stage::{Stage, price, start};

on_both! {

async fn a_row_is_sealed_within_a_second_of_its_commit(stage: Stage) {
    let running = start(&stage.audit);
    stage.tell(price(1)).await;
    let sealed = until_some("sealed", || async {
        stage.entries().await.pop().filter(|entry| entry.seq == Some(1))
    });
    tokio::time::timeout(Duration::from_secs(5), sealed).await.unwrap();
    running.stop().await;
    stage.holds(1).await;
}

async fn two_hundred_writers_at_once_make_one_chain_without_a_gap(stage: Stage) {
    let running = start(&stage.audit);
    let other = start(&stage.beside().await);
    let writers = (0..200).map(|n| {
        let (db, audit) = (stage.ground.db.clone(), stage.audit.clone());
        tokio::spawn(async move {
            let tx = db.begin().await.unwrap();
            audit.record(&tx, price(n)).await.unwrap();
            // every fifth changes its mind
            match n % 5 {
                0 => tx.rollback().await.unwrap(),
                _ => tx.commit().await.unwrap(),
            }
        })
    });
    for done in join_all(writers).await {
        done.unwrap();
    }
    until_some("all sealed", || async {
        (stage.verify().await.rows == 160).then_some(())
    })
    .await;
    running.stop().await;
    other.stop().await;
    let verdict = stage.holds(160).await;
    assert_eq!((verdict.first_seq, verdict.last_seq, verdict.unsealed), (1, 160, 0));
    let rolled_back = Filter { target: "product/5".into(), ..Filter::default() };
    assert!(stage.listed(rolled_back).await.is_empty());
}

async fn two_processes_that_seal_at_once_make_one_chain(stage: Stage) {
    let other = stage.beside().await;
    for round in 0..10 {
        for n in 0..30 {
            stage.tell(price(round * 30 + n)).await;
        }
        let (one, two) = tokio::join!(
            async { stage.audit.seal().await.unwrap() },
            async { other.seal().await.unwrap() }
        );
        assert_eq!(one + two, 30);
    }
    stage.holds(300).await;
}

async fn what_was_committed_before_a_kill_is_sealed_after_it(stage: Stage) {
    // nobody seals: as if killed between the commit and the seal
    for n in 0..5 {
        stage.tell(price(n)).await;
    }
    assert_eq!(stage.verify().await.rows, 0);
    stage.pass(11);
    assert_eq!(stage.verify().await.unsealed, 5);
    let running = start(&stage.beside().await);
    until_some("sealed", || async { (stage.verify().await.rows == 5).then_some(()) }).await;
    running.crash().await;
    assert_eq!(stage.holds(5).await.unsealed, 0);
}

async fn many_rows_are_sealed_in_the_order_of_their_ids(stage: Stage) {
    let tx = stage.ground.db.begin().await.unwrap();
    let many = (0..1_300).map(price).collect();
    stage.audit.record_all(&tx, many).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stage.audit.seal().await.unwrap(), 1_300);
    stage.holds(1_300).await;
    let newest = stage.entries().await;
    assert!(newest.windows(2).all(|two| two[0].id > two[1].id && two[0].seq > two[1].seq));
    assert_eq!(newest[0].seq, Some(1_300));
}

}
