//! Lists: newest first, by page, by what is wanted.
use souk_audit::{Filter, NewEntry};
use souk_testkit::on_both;
use souk_values::{Cursor, Page};

use crate::stage::{Stage, price};

async fn targets(stage: &Stage, filter: Filter) -> Vec<String> {
    stage.listed(filter).await.into_iter().map(|entry| entry.target).collect()
}

on_both! {

async fn pages_follow_one_another_without_a_repeat_or_a_hole(stage: Stage) {
    stage.chain(25).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = Page::new(10, &cursor).unwrap();
        let (items, next) = stage.audit.list(&Filter::default(), &page).await.unwrap();
        seen.extend(items.into_iter().map(|entry| entry.seq.unwrap()));
        match next {
            Some(next) => cursor = next.as_str().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
    let foreign = Page { limit: 10, cursor: Some(Cursor::encode(&7)) };
    assert!(stage.audit.list(&Filter::default(), &foreign).await.is_err());
}

async fn each_filter_narrows(stage: Stage) {
    stage.tell(price(1)).await;
    stage.pass(60);
    stage.tell(NewEntry::new("login.failed", "user/a").actor("anonymous").failed("x")).await;
    stage.tell(NewEntry::new("login.succeeded", "user/a").actor("usr_2")).await;
    stage.tell(NewEntry::new("loginX", "user/b").actor("usr_2")).await;
    let now = stage.ground.clock.now_us();
    for (filter, expected) in [
        (Filter { actor: "usr_2".into(), ..Filter::default() }, vec!["user/b", "user/a"]),
        (Filter { action: "login.".into(), ..Filter::default() }, vec!["user/a", "user/a"]),
        (Filter { action: "login.failed".into(), ..Filter::default() }, vec!["user/a"]),
        (Filter { action: "login".into(), ..Filter::default() }, vec![]),
        (Filter { action: "%.".into(), ..Filter::default() }, vec![]),
        (Filter { target: "product/1".into(), ..Filter::default() }, vec!["product/1"]),
        (Filter { outcome: "failed".into(), ..Filter::default() }, vec!["user/a"]),
        (Filter { to_us: Some(now), ..Filter::default() }, vec!["product/1"]),
        (Filter { from_us: Some(now), ..Filter::default() }, vec!["user/b", "user/a", "user/a"]),
        (
            Filter { from_us: Some(now), actor: "anonymous".into(), ..Filter::default() },
            vec!["user/a"],
        ),
    ] {
        assert_eq!(targets(&stage, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn an_entry_reads_back_as_it_was_told(stage: Stage) {
    let told = NewEntry::new("user.changed", "user/a")
        .actor("usr_9")
        .address("2001:db8::")
        .change("name", "\"Ann\" \u{0}", "Änne 💐")
        .secret("password");
    stage.tell(told).await;
    let entry = stage.entries().await.remove(0);
    assert_eq!((entry.seq, entry.at), (None, stage.ground.clock.now()));
    assert_eq!(entry.address.as_deref(), Some("2001:db8::"));
    assert_eq!(entry.changes[0].before, "\"Ann\" \u{fffd}");
    assert_eq!(entry.changes[0].after, "Änne 💐");
    assert_eq!((entry.changes[1].field.as_str(), entry.changes[1].after.as_str()), ("password", "***"));
}

}
