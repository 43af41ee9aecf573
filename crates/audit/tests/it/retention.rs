//! Retention: the oldest go, a stone stays, the chain holds.
use souk_audit::Filter;
use souk_testkit::on_both;

use crate::stage::{Stage, price};

const DAY: i64 = 24 * 3600;

on_both! {

async fn old_entries_go_and_the_chain_holds_behind_the_stone(stage: Stage) {
    stage.chain(5).await;
    stage.pass(20 * DAY);
    stage.chain(3).await;
    stage.pass(11 * DAY);
    assert_eq!(stage.audit.trim(30).await.unwrap(), 5);
    stage.audit.seal().await.unwrap();
    // three that are left, and the one that tells of the stone
    let verdict = stage.holds(4).await;
    assert_eq!((verdict.first_seq, verdict.last_seq), (6, 9));
    let trimmed = Filter { action: "audit.trimmed".into(), ..Filter::default() };
    let told = stage.listed(trimmed).await.remove(0);
    assert_eq!((told.actor.as_str(), told.changes[0].before.as_str()), ("shop", "5"));
    assert!(told.target.starts_with("audit/5/"), "{}", told.target);
    // nothing more to do
    assert_eq!(stage.audit.trim(30).await.unwrap(), 0);

    // everything, and on from there
    stage.pass(100 * DAY);
    assert_eq!(stage.audit.trim(30).await.unwrap(), 4);
    assert_eq!(stage.holds(0).await.first_seq, 10);
    stage.audit.seal().await.unwrap();
    stage.chain(2).await;
    assert_eq!(stage.holds(3).await.first_seq, 10);
}

async fn the_row_behind_a_stone_is_guarded_as_any_other(stage: Stage) {
    stage.chain(5).await;
    stage.pass(40 * DAY);
    stage.chain(3).await;
    stage.audit.trim(30).await.unwrap();
    stage.audit.seal().await.unwrap();
    stage.tamper("UPDATE audit_stone SET hash = (SELECT hash FROM audit_entry WHERE seq = 7)").await;
    assert!(stage.verify().await.broken > 0);
    stage.tamper("DELETE FROM audit_stone").await;
    let verdict = stage.verify().await;
    assert_eq!(verdict.breaches[0].1, "rows 1 to 5 missing");
}

async fn what_is_young_or_not_sealed_stays_and_zero_keeps_all(stage: Stage) {
    stage.chain(2).await;
    stage.tell(price(9)).await;
    assert_eq!(stage.audit.trim(30).await.unwrap(), 0);
    stage.pass(10_000 * DAY);
    assert_eq!(stage.audit.trim(0).await.unwrap(), 0);
    assert_eq!(stage.audit.trim(30).await.unwrap(), 2);
    stage.audit.seal().await.unwrap();
    stage.holds(2).await;
}

async fn two_that_trim_at_once_lay_one_stone(stage: Stage) {
    stage.chain(200).await;
    stage.pass(40 * DAY);
    let other = stage.beside().await;
    let (one, two) = tokio::join!(
        async { stage.audit.trim(30).await.unwrap() },
        async { other.trim(30).await.unwrap() }
    );
    assert_eq!(one + two, 200);
    stage.audit.seal().await.unwrap();
    assert_eq!(stage.holds(1).await.first_seq, 201);
}

}
