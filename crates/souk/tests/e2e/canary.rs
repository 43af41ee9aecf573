//! The canary (`reliability.md` S60): marked secrets and people's data go through every journey, and
//! through requests that fail; then everything that the shop leaves behind is searched for them.
mod collector;
mod marks;
mod places;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use souk_testkit::{Backend, Client, Process, Storehouse, eventually, journeys};

use self::collector::Collector;
use self::marks::{Mark, Place, search};
use self::walk::Canary;
use crate::SOON;

journeys!(s60_secrets_and_personal_data_are_only_where_they_belong);

/// What would begin a line of its own in a log that lets others write lines (S62).
const FORGED: &str = "forged-line";

async fn s60_secrets_and_personal_data_are_only_where_they_belong(backend: Backend) {
    let store = Arc::new(Storehouse::new(backend).await);
    let (collector, url) = Collector::start().await;
    let plan = Process::plan(env!("CARGO_BIN_EXE_souk"), &store)
        // what carries the traces would tell of itself without end
        .set("log.level", "trace,h2=info,hyper=info,hyper_util=info,tonic=info,tower=info")
        .set("log.format", "json")
        .set("log.otlp_endpoint", url);
    let mut process = plan.open().await;
    let mut canary = Canary::new(&plan).await;
    canary.registers().await;
    let client = canary.stays().await;
    canary.buys(&client).await;
    let client = canary.secures(&client).await;
    canary.changes(&client).await;
    canary.errs().await;
    let metrics = canary.anonymous.at(&format!("http://{}", process.operator()));
    let metrics = metrics.get("/metrics").await.body;
    settled(&canary.admin).await;
    let (status, _) = process.terminate(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}");

    if let Some(secret) = secret_of(&store, "service_token") {
        canary.marks.push(Mark::new("service secret", secret));
    }
    if let Some(secret) = secret_of(&store, "signing_key") {
        canary.marks.push(Mark::new("signing key", secret));
    }
    let log = plan.log();
    let traces = collector.exported();
    let mut places = places::tables(&store).await;
    places.extend(places::files(&store));
    places.extend(places::letters(&store).into_iter().map(|letter| Place {
        name: format!("letter to {}", letter.to),
        bytes: [letter.raw, letter.words].concat().into_bytes(),
    }));
    places.push(Place { name: "log".to_owned(), bytes: log.clone().into_bytes() });
    places.push(Place { name: "traces".to_owned(), bytes: traces.clone() });
    places.push(Place { name: "metrics".to_owned(), bytes: metrics });
    let found = search(&canary.marks, &places);
    assert!(found.leaks.is_empty(), "{} leaks:\n{}", found.leaks.len(), found.leaks.join("\n"));

    // also not in what was deleted from the files; a key of idempotency is no secret
    let nowhere = ["email", "name", "street", "note", "card token", "idempotency key"];
    let secrets: Vec<Mark> =
        canary.marks.iter().filter(|mark| !nowhere.contains(&mark.what)).cloned().collect();
    let remains = search(&secrets, &places::remains(&store));
    assert!(remains.leaks.is_empty(), "{}", remains.leaks.join("\n"));

    // whoever finds nothing must have looked
    for known in ["email at accounts: account.email", "name at accounts: address.name"] {
        assert!(found.known.contains(&known.to_owned()), "{known}: {:#?}", found.known);
    }
    for what in ["code at letter to ", "reset link at letter to ", "card token at orders: "] {
        assert!(found.known.iter().any(|known| known.starts_with(what)), "{:#?}", found.known);
    }
    assert!(contains(&traces, "http.request") && contains(&traces, "SessionService"));
    lines_are_whole(&log);
}

/// The installation's own, as it lies there or was set.
fn secret_of(store: &Storehouse, name: &str) -> Option<String> {
    let set = store.setting(&format!("secrets.{name}")).map(str::to_owned);
    let kept = || std::fs::read_to_string(store.data_dir().join("secrets").join(name)).ok();
    set.or_else(kept).map(|secret| secret.trim().to_owned())
}

fn contains(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
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
