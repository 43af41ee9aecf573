//! Marks that are put where none may be, each the way things come to that place.
use std::fs::{self, File};
use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client as Http;
use sea_orm::ConnectionTrait;
use serde_json::json;
use souk_testkit::tap::queues;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::bus::Bus;
use super::marks::{Mark, Place};
use super::places;
use super::stage::{self, Stage};

/// Of a sort that may be nowhere.
const TEXT: &str = "canary-that-was-planted";
/// Letters to here.
const TO: &str = "planted@people.test";

/// While the shop is open: to the exchange, the collector, the cache.
pub(super) async fn on_the_way(stage: &Stage) -> Mark {
    if let Bus::Broker(tap) = &stage.bus {
        tap.publish("souk.events", "planted.body", &[], TEXT.as_bytes()).await;
        tap.publish("souk.events", "planted.header", &[("note", TEXT)], b"x").await;
        tap.publish("souk.events", &format!("planted.{TEXT}"), &[], b"x").await;
    }
    if let Some(cache) = &stage.cache {
        cache.say(&format!("SET planted {TEXT} PX 100")).await;
    }
    stage.collector.tell(TEXT.as_bytes()).await;
    Mark::new("password", TEXT)
}

/// What a leak is to say.
#[derive(Debug)]
pub(super) struct Wanted {
    place: String,
    text: String,
}

impl Wanted {
    pub(super) fn at(place: &str) -> Self {
        Self { place: format!(" at {place}: …"), text: String::new() }
    }

    pub(super) fn is(&self, leak: &str) -> bool {
        leak.contains(&self.place) && leak.contains(&self.text)
    }
}

/// After the shop was closed: into databases, files, queues and the mail system. Answers everything
/// that is to be found.
pub(super) async fn in_the_end(stage: &Stage, mark: &Mark) -> Vec<Wanted> {
    assert_eq!(mark.text, TEXT);
    let mut places = vec!["traces".to_owned(), "log".to_owned()];
    let mut wanted = Vec::new();
    places.extend(in_databases(stage).await);
    let data = stage.store.data_dir();
    fs::create_dir_all(data.join("planted")).expect("a folder");
    fs::write(data.join("planted/note.txt"), TEXT).expect("a file");
    places.push("file: planted/note.txt".to_owned());
    for log in fs::read_dir(stage.store.dir()).expect("the folder of the test").flatten() {
        if log.path().extension().is_some_and(|end| end == "log") {
            let mut log = File::options().append(true).open(log.path()).expect("the log");
            writeln!(log, "{{\"message\":\"{TEXT}\"}}").expect("a line");
        }
    }
    match &stage.bus {
        Bus::Broker(tap) => {
            places.extend(["body", "header", TEXT].map(|end| format!("bus: planted.{end}")));
            for queue in queues() {
                let body = format!("{TEXT} for {queue}");
                tap.publish("", &queue, &[], body.as_bytes()).await;
                // what waits to be tried again may be where it goes after that
                let place = match queue.split_once(".retry.") {
                    Some((main, _)) => format!(" at queue: {main}"),
                    None => format!(" at queue: {queue}: "),
                };
                wanted.push(Wanted { place, text: format!(" for {queue}…") });
            }
            places.push("cache".to_owned());
        }
        Bus::File => places.extend(in_bus(stage).await),
    }
    places.extend(in_letters(stage).await);
    wanted.extend(places.iter().map(|place| Wanted::at(place)));
    wanted
}

/// As text, as bytes, and deep in JSON.
async fn in_databases(stage: &Stage) -> Vec<String> {
    let mut wanted = Vec::new();
    for (name, db) in places::databases(&stage.store).await {
        let (bytes, sql_bytes) = if db.is_postgres() {
            ("bytea", format!("convert_to('{TEXT}', 'UTF8')"))
        } else {
            ("blob", format!("CAST('{TEXT}' AS BLOB)"))
        };
        let json = if db.is_postgres() { "jsonb" } else { "text" };
        let table = format!(
            "CREATE TABLE planted (as_text text, as_bytes {bytes}, as_json {json}, clean text)"
        );
        let row = format!(
            "INSERT INTO planted VALUES ('a {TEXT} b', {sql_bytes}, \
             '{{\"a\": [{{\"b\": \"{TEXT}\"}}]}}', 'x')"
        );
        for sql in [table, row] {
            db.write().execute_unprepared(&sql).await.expect("it is planted");
        }
        db.close().await.expect("it closes");
        let columns = ["as_text", "as_bytes", "as_json"];
        wanted.extend(columns.map(|column| format!("{name}: planted.{column}")));
    }
    wanted
}

/// A message in the file of the bus, as it comes and as a note on why it died.
async fn in_bus(stage: &Stage) -> Vec<String> {
    let db = super::bus::open(&stage.store.data_dir()).await;
    for sql in [
        format!("INSERT INTO message VALUES (999999, '{TEXT}', CAST('{TEXT}' AS BLOB))"),
        "INSERT INTO delivery VALUES (1, 999999, 0, 0, NULL)".to_owned(),
        format!("UPDATE delivery SET note = '{TEXT}' WHERE message = 999999"),
    ] {
        db.write().execute_unprepared(&sql).await.expect("it is planted");
    }
    db.close().await.expect("it closes");
    let columns =
        ["message.headers", "message.payload", "delivery.note", "heard.headers", "heard.payload"];
    let mut wanted: Vec<String> = columns.map(|column| format!("bus: {column}")).into();
    wanted.push("file: bus.db".to_owned());
    wanted
}

/// One with the mark in its head, one in its text, one in its HTML.
async fn in_letters(stage: &Stage) -> Vec<String> {
    let encoded = STANDARD.encode(format!("xx {TEXT}"));
    let broken = TEXT.replacen("that", "th=\r\nat=", 1).replacen("at=-", "at=2D", 1);
    let letters = [
        ("Head", format!("X-Note: =?utf-8?b?{encoded}?=\r\n"), String::new(), String::new()),
        ("Text", String::new(), broken, String::new()),
        ("Html", String::new(), String::new(), format!("<b title=3D\"{TEXT}\">")),
    ];
    for (subject, head, text, html) in letters {
        let quoted = "Content-Transfer-Encoding: quoted-printable";
        let raw = format!(
            "From: a@b.test\r\nTo: {TO}\r\nSubject: [Souk] {subject}\r\n{head}\r\n--souk-1\r\n\
             Content-Type: text/plain; charset=utf-8\r\n{quoted}\r\n\r\n{text}\r\n--souk-1\r\n\
             Content-Type: text/html; charset=utf-8\r\n{quoted}\r\n\r\n{html}\r\n--souk-1--\r\n"
        );
        hand_over(stage, subject, &raw).await;
    }
    let place = |subject, part| format!("letter to {TO}: {subject}: {part}");
    let mut wanted = vec![place("Head", "head"), place("Text", "body"), place("Html", "body")];
    if stage.store.ses().is_some() {
        wanted.extend(["head", "envelope"].map(|part| format!("mail request to {TO}: {part}")));
    }
    wanted
}

async fn hand_over(stage: &Stage, name: &str, raw: &str) {
    let Some(ses) = stage.store.ses() else {
        let folder = stage.store.data_dir().join("mail");
        fs::create_dir_all(&folder).expect("a folder");
        return fs::write(folder.join(format!("{name}.eml")), raw).expect("a letter");
    };
    let body = json!({
        "FromEmailAddress": "a@b.test",
        "Destination": { "ToAddresses": [TO] },
        "Content": { "Raw": { "Data": STANDARD.encode(raw) } },
        "EmailTags": [{ "Name": "d", "Value": TEXT }],
    });
    let url = format!("{}/v2/email/outbound-emails", ses.url);
    let http = Http::builder().no_proxy().build().expect("a client");
    let request = http.post(url).header("authorization", "AWS4-HMAC-SHA256 x");
    let answer = request.header("x-note", TEXT).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// What a port tells that is asked as the operator's is.
pub(super) async fn metrics(stage: &Stage, mark: &Mark) -> Place {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let body = format!("souk_things_total{{name=\"{}\"}} 1\n", mark.text);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody asks");
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all([head, body].concat().as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    stage::metrics(&stage.plan.shop().anonymous(), &address).await
}
