//! Notes: written soon, bounded, counted when there is no room.
use souk_audit::{Filter, NewEntry};
use souk_auth::Caller;
use souk_rpc::{Refusals, Refused};
use souk_testkit::{on_both, until_some};

use crate::stage::{Stage, price, start};

fn refused<'a>(caller: &'a Caller, method: &'a str) -> Refused<'a> {
    let (client, request_id) = (Some("192.0.2.0"), Some("r1"));
    Refused { method, caller, client, request_id, reason: "forbidden" }
}

fn refusals() -> Filter {
    Filter { action: "rpc.refused".into(), ..Filter::default() }
}

on_both! {

async fn a_note_is_written_and_sealed_without_a_transaction(stage: Stage) {
    let running = start(&stage.audit);
    stage.audit.note(NewEntry::new("login.failed", "user/usr_1").failed("invalid_credentials"));
    let entry = until_some("written", || async { stage.entries().await.pop() }).await;
    assert_eq!((entry.outcome.as_str(), entry.reason.as_str()), ("failed", "invalid_credentials"));
    running.stop().await;
    stage.holds(1).await;
}

async fn the_end_of_a_process_loses_no_note(stage: Stage) {
    let running = start(&stage.audit);
    for n in 0..1_200 {
        stage.audit.note(price(n));
    }
    running.stop().await;
    stage.holds(1_200).await;
}

async fn notes_that_find_no_room_are_counted_and_told_of(stage: Stage) {
    for n in 0..10_007 {
        stage.audit.note(price(n));
    }
    let running = start(&stage.audit);
    let all = || async { (stage.verify().await.rows == 10_001).then_some(()) };
    until_some("all written", all).await;
    running.stop().await;
    stage.holds(10_001).await;
    let told = Filter { action: "audit.overflow".into(), ..Filter::default() };
    let told = stage.listed(told).await;
    assert_eq!((told.len(), told[0].changes[0].after.as_str()), (1, "7"));
}

async fn a_refused_call_is_told_and_too_many_are_counted(stage: Stage) {
    let caller = Caller::service("gateway");
    for _ in 0..25 {
        stage.audit.refused(&refused(&caller, "/souk.shop.v1.Shop/Open"));
    }
    stage.audit.refused(&refused(&caller, "/souk.shop.v1.Shop/Close"));
    stage.pass(61);
    start(&stage.audit).stop().await;
    let told = stage.listed(refusals()).await;
    assert_eq!(told.len(), 12);
    let more: Vec<_> = told.iter().filter(|entry| entry.reason == "too_many").collect();
    assert_eq!((more.len(), more[0].changes[0].after.as_str()), (1, "15"));
    let one = told.iter().find(|entry| entry.target.ends_with("/Close")).unwrap();
    assert_eq!((one.actor.as_str(), one.address.as_deref()), ("gateway", Some("192.0.2.0")));
    assert_eq!((one.outcome.as_str(), one.trace_id.as_str()), ("refused", "r1"));
    stage.holds(12).await;
}

}
