//! Kill -9 at every point where something could be lost or done twice, under load.
use souk_testkit::ses::FakeSes;

use crate::amounts::{between, kills};
use crate::checker::judge;
use crate::evidence::show;
use crate::facts::{Letterbox, gather};
use crate::house::{Ground, House, WHOLE};
use crate::load::Load;

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
    // note doubles the letter that was in the call. Any kill of the notifier may hit there, also
    // the one that makes room for the first process with a crash point.
    verdict.must_be_kept(|row| match row.name.contains("notifier") {
        true => u64::from(row.kills) + 1,
        false => 0,
    });
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
        // makes room for one with a crash point
        end(house, load, victim).await;
        for _ in 0..kills() {
            match point {
                Some(point) => {
                    // from 2: what comes again after a kill in a handler must get through once
                    house.start(victim, Some(&format!("{point}:{}", between(2, 15))));
                    let at = house.died(victim).await;
                    note(load, victim, at);
                }
                None => {
                    house.start(victim, None);
                    let done = load.done() + usize::try_from(between(5, 25)).unwrap();
                    if *victim == "gateway" || *victim == "catalog" || *victim == WHOLE {
                        load.progress(done).await;
                    } else {
                        // changes go on without it, so it is let come up first
                        house.ready().await;
                        load.progress(done).await;
                    }
                    end(house, load, victim).await;
                }
            }
            load.killed();
        }
        house.start(victim, None);
        house.ready().await;
    }
    load.progress(load.done() + 10).await;
}

async fn end(house: &mut House, load: &Load, victim: &str) {
    let at = house.kill(victim).await;
    note(load, victim, at);
}

/// Views wait in the gateway's memory.
fn note(load: &Load, victim: &str, at: std::time::Instant) {
    if [WHOLE, "gateway"].contains(&victim) {
        load.gateway_died(at);
    }
}
