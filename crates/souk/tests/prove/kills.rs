//! Kill -9 at every point where something could be lost or done twice, under load.
use std::time::Duration;

use souk_testkit::ses::FakeSes;

use crate::amounts::{between, kills};
use crate::buyers::verified;
use crate::checker::judge;
use crate::evidence::show;
use crate::facts::{Letterbox, gather, letters_about};
use crate::house::{Ground, House, WHOLE};
use crate::load::Load;
use crate::process::until;

/// What an orchestrator gives a process before it kills it.
const IN_TIME: Duration = Duration::from_secs(20);

/// A fault: the process, and the point where it kills itself; none: killed from outside.
type Fault = (&'static str, Option<&'static str>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_whole_shop_loses_and_doubles_nothing() {
    const FAULTS: [Fault; 9] = [
        (WHOLE, Some("outbox.appended")),
        (WHOLE, Some("outbox.committed")),
        (WHOLE, Some("relay.sending")),
        (WHOLE, Some("relay.published")),
        (WHOLE, Some("consumer.handled")),
        (WHOLE, Some("consumer.committed")),
        (WHOLE, Some("mail.sending")),
        (WHOLE, Some("mail.sent")),
        (WHOLE, None),
    ];
    let mut house = House::whole(Ground::folder()).await;
    let load = Load::start(&house.client).await;
    suffer(&mut house, &load, &FAULTS).await;
    let history = load.end().await;
    let data = house.data();
    let facts = gather(&house.client, &history, Letterbox::Folder(&data)).await;
    let verdict = judge(&history, &facts);
    show("kills", "Kill -9 of the one process, SQLite, letters in a folder", &verdict);
    // the letter's name is its file's, so a repeat cannot double it
    verdict.must_be_kept(|_| 0);
    println!("{}", verified(&house).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_single_services_on_servers_loses_and_doubles_nothing() {
    const FAULTS: [Fault; 15] = [
        ("catalog", Some("outbox.appended")),
        ("catalog", Some("outbox.committed")),
        ("catalog", Some("relay.sending")),
        ("catalog", Some("relay.published")),
        ("catalog", None),
        ("notifier", Some("consumer.handled")),
        ("notifier", Some("consumer.committed")),
        ("notifier", Some("mail.sending")),
        ("notifier", Some("mail.sent")),
        ("notifier", None),
        ("analytics", Some("consumer.handled")),
        ("analytics", Some("consumer.committed")),
        ("analytics", None),
        ("accounts", None),
        ("gateway", None),
    ];
    let ses = FakeSes::start().await.unwrap();
    let ground = with_ses(Ground::servers().await, &ses)
        // one call at a time, so that one kill can double one letter at most
        .with("SOUK_NOTIFIER__CONCURRENCY", "1")
        .with("SOUK_SES__UNKNOWN_AFTER", "3s");
    let mut house = House::split(ground).await;
    let load = Load::start(&house.client).await;
    suffer(&mut house, &load, &FAULTS).await;
    let history = load.end().await;
    let facts = gather(&house.client, &history, Letterbox::Ses(&ses)).await;
    let verdict = judge(&history, &facts);
    let title = "Kill -9 of single services, PostgreSQL, RabbitMQ, Redis, letters by SES";
    show("kills", title, &verdict);
    // SES has no way to say a letter twice and mean it once: a kill between its answer and our
    // note doubles the letter that was in the call. Any kill of the notifier may hit there.
    verdict.must_be_kept(|row| match row.name.starts_with("notifier") {
        true => row.kills.into(),
        false => 0,
    });
    println!("{}", verified(&house).await);
}

/// Letters leave by that SES, as fast as they can.
pub(crate) fn with_ses(ground: Ground, ses: &FakeSes) -> Ground {
    ground
        .with("SOUK_MAIL__SENDER", "ses")
        .with("SOUK_SES__ENDPOINT", &ses.url)
        .with("SOUK_SES__REGION", "eu-central-1")
        .with("SOUK_SES__ACCESS_KEY_ID", "AKIDOFTHEPROVINGHOUSE")
        .with("SOUK_SES__SECRET_ACCESS_KEY", "never-looked-at")
        .with("SOUK_SES__MAX_SEND_RATE", "5000")
}

/// All faults in turn, each as often as asked for; at the end everything lives.
async fn suffer(house: &mut House, load: &Load, faults: &[Fault]) {
    for (victim, point) in faults {
        load.begin(&format!("{victim} at {}", point.unwrap_or("any moment")));
        for _ in 0..kills() {
            let at = match point {
                Some(point) => {
                    // makes room for one with a crash point, in good order: only kills may count
                    house.term(victim);
                    assert_eq!(house.stopped(victim, IN_TIME).await, Some(0), "{victim}");
                    house.start(victim, Some(&format!("{point}:{}", between(1, 15))));
                    house.died(victim).await
                }
                None => {
                    let changes = usize::try_from(between(5, 25)).unwrap();
                    load.progress(load.done() + changes).await;
                    house.kill(victim).await
                }
            };
            load.killed();
            // views wait in the gateway's memory
            if [WHOLE, "gateway"].contains(victim) {
                load.gateway_died(at);
            }
            house.start(victim, None);
            house.ready().await;
            caught_up(house, load).await;
        }
    }
}

/// Waits until what was changed so far is in the ledger and in the figures. A message that is in
/// hand when its process dies a third time counts as the killer and is parked, so nobody may be
/// killed three times over the same one.
async fn caught_up(house: &House, load: &Load) {
    let changes = u64::try_from(load.done()).unwrap();
    let up = until(Duration::from_secs(60), async || {
        let lines: u64 = letters_about(&house.client, &load.products()).await.into_values().sum();
        let totals = house.client.read("/api/admin/stats/totals").await;
        lines >= changes && totals["product_changes"].as_u64() >= Some(changes)
    });
    assert!(up.await, "messages do not arrive any more");
}
