//! The canary (`reliability.md` S60): marked secrets and people's data go through every journey, and
//! through requests that fail; then everything that the shop leaves behind is searched for them.
mod bus;
mod cache;
mod collector;
mod letters;
mod marks;
mod places;
mod planted;
mod stage;
mod walk;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use souk_testkit::{Backend, Client, Process, Storehouse, eventually, journeys};

use self::marks::{Class, Found, KINDS, Mark, Place, left_of_person, search};
use self::planted::Wanted;
use self::stage::{Stage, metrics};
use self::walk::Canary;
use crate::SOON;

journeys!(
    s60_secrets_and_personal_data_are_only_where_they_belong,
    s60_what_is_planted_at_any_place_is_found,
);

/// What would begin a line of its own in a log that lets others write lines (S62).
const FORGED: &str = "forged-line";

async fn s60_secrets_and_personal_data_are_only_where_they_belong(backend: Backend) {
    let stage = Stage::new(backend).await;
    let process = stage.open().await;
    let mut canary = Canary::new(&stage).await;
    canary.registers().await;
    let client = canary.stays().await;
    canary.buys(&client).await;
    let client = canary.secures(&client).await;
    canary.shows_a_face(&client).await;
    canary.subscribes(&client).await;
    canary.changes(&client).await;
    let client = canary.logs_in().await;
    let export = canary.takes_everything(&client).await;
    canary.errs(&client).await;
    let told = closes(&canary, process).await;
    installations(&mut canary.marks, &stage.store);

    let mut places = stage.places().await;
    places.push(told);
    places.push(export);
    places.append(&mut canary.answers);
    let found = search(&canary.marks, &places);
    assert!(found.leaks.is_empty(), "{} leaks:\n{}", found.leaks.len(), found.leaks.join("\n"));
    is_nowhere_deleted(&canary.marks, &stage.store, |mark| mark.class() == Class::Secret);
    whoever_finds_nothing_has_looked(&canary.marks, &places, &found, backend);
    lines_are_whole(&stage.plan.log());

    // the person goes: what could stay until now may stay no longer
    let process = stage.open().await;
    let client = canary.comes_back().await;
    canary.is_sent().await;
    canary.goes(&client).await;
    let told = closes(&canary, process).await;
    let mut places = stage.places().await;
    places.push(told);
    places.append(&mut canary.answers);
    let found = search(&canary.marks, &places);
    assert!(found.leaks.is_empty(), "{} leaks:\n{}", found.leaks.len(), found.leaks.join("\n"));
    let left = left_of_person(&canary.marks, &places, backend == Backend::Default);
    assert!(left.leaks.is_empty(), "{} are left:\n{}", left.leaks.len(), left.leaks.join("\n"));
    is_nowhere_deleted(&canary.marks, &stage.store, |mark| mark.class() != Class::Others);
    // somebody else is still who they were
    let guest = "subscriber's email at accounts: newsletter_subscriber.email".to_owned();
    assert!(found.known.contains(&guest), "{:#?}", found.known);
}

/// Something is put at every place, the way things come there; the same search must find it.
async fn s60_what_is_planted_at_any_place_is_found(backend: Backend) {
    let stage = Stage::new(backend).await;
    let mut process = stage.open().await;
    let mark = planted::on_the_way(&stage).await;
    let (status, _) = process.terminate(SOON * 2).await;
    assert!(status.success(), "{status}");
    let mut wanted = planted::in_the_end(&stage, &mark).await;
    let mut places = stage.places().await;
    places.push(planted::metrics(&stage, &mark).await);
    wanted.push(Wanted::at("metrics"));
    let found = |places: &[Place]| search(std::slice::from_ref(&mark), places).leaks;
    let leaks = Mutex::new(found(&places));
    // what waits to be tried again goes from queue to queue meanwhile
    eventually("everything is found", SOON * 2, || async {
        let more = found(&stage.bus.places().await);
        let mut leaks = leaks.lock().expect("nobody panicked");
        leaks.extend(more);
        let is_missed = |wanted: &&Wanted| !leaks.iter().any(|leak| wanted.is(leak));
        let missed: Vec<&Wanted> = wanted.iter().filter(is_missed).collect();
        if missed.is_empty() { Ok(()) } else { Err(format!("{missed:#?} not in {leaks:#?}")) }
    })
    .await;
}

/// Waits until all is done, asks for the figures, and closes the shop.
async fn closes(canary: &Canary<'_>, mut process: Process) -> Place {
    settled(&canary.admin).await;
    let told = metrics(&canary.anonymous, &process.operator().to_string()).await;
    let (status, _) = process.terminate(Duration::from_secs(60)).await;
    assert!(status.success(), "{status}");
    told
}

/// What the installation itself keeps secret.
fn installations(marks: &mut Vec<Mark>, store: &Storehouse) {
    for (what, name) in [("service secret", "service_token"), ("signing key", "signing_key")] {
        let secret = secret_of(store, name).expect("every installation has one");
        marks.push(Mark::new(what, secret));
    }
    let password = store.setting("database.url").and_then(|url| {
        let (_, rest) = url.split_once("://")?;
        rest.split_once('@')?.0.split_once(':').map(|(_, password)| password.to_owned())
    });
    let mail = store.setting("ses.secret_access_key").map(str::to_owned);
    for (what, secret) in [("database password", password), ("mail password", mail)] {
        // on the default back ends there is none to be found
        marks.push(Mark::new(what, secret.unwrap_or_else(|| walk::word("none"))));
    }
}

/// Also not in what was deleted from the files of databases.
fn is_nowhere_deleted(marks: &[Mark], store: &Storehouse, which: impl Fn(&Mark) -> bool) {
    let marks: Vec<Mark> = marks.iter().filter(|mark| which(mark)).cloned().collect();
    let remains = places::remains(store);
    let leaks = search(&marks, &remains).leaks;
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

fn whoever_finds_nothing_has_looked(
    marks: &[Mark],
    places: &[Place],
    found: &Found,
    backend: Backend,
) {
    let marked: BTreeSet<&str> = marks.iter().map(|mark| mark.what).collect();
    assert_eq!(marked, KINDS.iter().map(|(kind, _)| *kind).collect(), "every kind was used");
    for known in [
        "email at accounts: account.email",
        "name at accounts: address.name",
        "code at letter to ",
        "reset link at letter to ",
        "newsletter link at letter to ",
        "unsubscribe link at letter to ",
        "email at letter to ",
        "name at letter to ",
        "card token at orders: ",
        "subscriber's email at accounts: ",
        "email at export file",
        "name at export file",
        "street at export file",
        "note at export file",
    ] {
        assert!(found.known.iter().any(|f| f.starts_with(known)), "{known}: {:#?}", found.known);
    }
    let tells = |name: &str, text: &str| {
        let mut at = places.iter().filter(|place| place.name.starts_with(name));
        at.any(|place| String::from_utf8_lossy(&place.bytes).contains(text))
    };
    assert!(tells("traces", "http.request") && tells("traces", "SessionService"));
    assert!(tells("metrics", "http_requests"), "no figures");
    // what went between the services
    let events = ["accounts.letter.requested", "accounts.session.ended", "orders.order.confirmed"];
    for event in events.iter().chain(&["gateway.products.viewed", "catalog.stock.moved"]) {
        let name = match backend {
            Backend::Default => "bus: heard.headers",
            Backend::Servers => "bus: ",
        };
        assert!(tells(name, event), "{event} was not heard");
    }
    if backend == Backend::Servers {
        assert!(tells("mail request to ", "AWS4-HMAC-SHA256"), "no request was kept");
        assert!(tells("cache", "gateway:"), "nobody spoke to the cache");
    }
}

/// The installation's own, as it lies there or was set.
fn secret_of(store: &Storehouse, name: &str) -> Option<String> {
    let set = store.setting(&format!("secrets.{name}")).map(str::to_owned);
    let kept = || std::fs::read_to_string(store.data_dir().join("secrets").join(name)).ok();
    set.or_else(kept).map(|secret| secret.trim().to_owned())
}

/// Waits until every letter has left: then every event was heard.
async fn settled(admin: &Client) {
    eventually("no letter waits", SOON * 2, || async {
        let counts = admin.get("/api/admin/notifications/counts").await.expect(200);
        let of = |status: &str| counts["by_status"][status].as_u64().unwrap_or_default();
        if of("queued") + of("sending") == 0 { Ok(()) } else { Err(counts.to_string()) }
    })
    .await;
}

/// One JSON object to a line, bounded, and no line that somebody else wrote (S62).
fn lines_are_whole(log: &str) {
    let mut told = 0;
    for line in log.lines() {
        assert!(!line.trim_start().starts_with(FORGED), "somebody writes our log: {line}");
        assert!(!line.contains('\u{1b}'), "an escape in the log: {line:?}");
        if !line.starts_with('{') {
            continue;
        }
        let parsed: Result<Value, _> = serde_json::from_str(line);
        let parsed = parsed.unwrap_or_else(|e| panic!("no JSON ({e}): {line:.500}"));
        // what libraries say at this level is theirs
        if parsed["target"].as_str().is_some_and(|target| target.starts_with("souk")) {
            assert!(line.len() < 16 * 1024, "a line of {} bytes: {line:.500}", line.len());
            told += 1;
        }
    }
    assert!(told > 100, "only {told} lines: the log was not heard");
}
