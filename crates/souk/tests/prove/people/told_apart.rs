//! P40: nobody can tell whether an account exists, by the answers of login, registration and
//! forgotten passwords or by the time that they take.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use rand::seq::SliceRandom;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::statistics::{likeness, median};
use super::{Person, Table, new_name};
use crate::amounts::{amount, is_full};
use crate::buyers::verified;
use crate::evidence::show;
use crate::house::{Ground, House};

/// Two lots of figures may look that unlike by chance.
const LIKE: f64 = 0.01;
/// Medians, in parts of one.
const NEAR: f64 = 0.05;
/// Whoever measures waits until the last request has left no traces.
const CALM: Duration = Duration::from_millis(20);
/// Even without any difference one lot in a hundred looks unlike: then it is measured once more,
/// and a true difference shows again.
const ROUNDS: usize = 2;

/// Where somebody might learn it.
#[derive(Clone, Copy, Debug)]
enum Question {
    Login,
    Register,
    Forgot,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p40_nobody_can_tell_whether_an_account_exists_on_sqlite() {
    told_apart(House::whole(honest(Ground::folder())).await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p40_nobody_can_tell_whether_an_account_exists_on_servers() {
    let house = House::whole(honest(Ground::servers().await)).await;
    told_apart(house, "PostgreSQL and RabbitMQ").await;
}

/// Hashes cost what they cost in a shop; limits are on, and every question comes from elsewhere.
fn honest(ground: Ground) -> Ground {
    ground
        .with("SOUK_GATEWAY__TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .with("SOUK_GATEWAY__RATE_LIMIT__ENABLED", "true")
        .with("SOUK_GATEWAY__RATE_LIMIT__PER_SECOND", "1000000")
        .with("SOUK_GATEWAY__RATE_LIMIT__BURST", "10000000")
        .with("SOUK_GATEWAY__RATE_LIMIT__ACCOUNTS_PER_MINUTE", "0")
        .with("SOUK_ACCOUNTS__ACCESS_TOKEN_MINUTES", "60")
}

/// One lot: the same question about people who are there, or who are not.
#[derive(Default)]
struct Lot {
    ms: Vec<f64>,
    /// Answers without what is different each time.
    answers: BTreeSet<String>,
}

async fn told_apart(house: House, place: &str) {
    let mut asker = Asker::new(&house);
    let mut table = Table::new(&[
        "question",
        "n of each",
        "answers known",
        "unknown",
        "equal",
        "median known ms",
        "unknown ms",
        "apart %",
        "KS p",
    ]);
    let mut equal = true;
    let mut unlike = Vec::new();
    for question in [Question::Login, Question::Register, Question::Forgot] {
        let mut alike = false;
        for _ in 0..ROUNDS {
            let (known, unknown) = ask(&house, &mut asker, question).await;
            let same = known.answers == unknown.answers && known.answers.len() == 1;
            if !same {
                eprintln!("{question:?}\nknown {:#?}\nnot {:#?}", known.answers, unknown.answers);
            }
            equal &= same;
            let (one, other) = (median(&known.ms), median(&unknown.ms));
            let (apart, p) = ((one - other).abs() / other, likeness(&known.ms, &unknown.ms));
            let name = format!("{question:?}").to_lowercase();
            table.row(
                &name,
                &[
                    &known.ms.len(),
                    &known.answers.len(),
                    &unknown.answers.len(),
                    &same,
                    &format!("{one:.2}"),
                    &format!("{other:.2}"),
                    &format!("{:.1}", apart * 100.0),
                    &format!("{p:.3}"),
                ],
            );
            alike |= p > LIKE && apart <= NEAR;
            // with few samples time says nothing
            if alike || !is_full() {
                break;
            }
        }
        if !alike {
            unlike.push(question);
        }
    }
    let title = format!("P40: known and unknown, Argon2id at full cost, the one process, {place}");
    show("people", &title, &table);
    assert!(equal, "{table}");
    assert!(!is_full() || unlike.is_empty(), "{unlike:?} tell by their time\n{table}");
    println!("{}", verified(&house).await);
}

/// Both lots, in any order.
async fn ask(house: &House, asker: &mut Asker, question: Question) -> (Lot, Lot) {
    let n = amount(20, 2_000) as usize;
    let made = (0..n).map(|_| Person::new(&house.client, "customer"));
    let people: Vec<Person> = stream::iter(made).buffer_unordered(2).collect().await;
    let known = people.into_iter().map(|person| (true, person.email));
    let unknown = (0..n).map(|_| (false, format!("{}@people.example", new_name())));
    let mut order: Vec<(bool, String)> = known.chain(unknown).collect();
    order.shuffle(&mut rand::rng());
    // the first of all open connections and warm what is cold
    for _ in 0..10 {
        asker.time(question, &format!("{}@people.example", new_name())).await;
    }
    let (mut known, mut unknown) = (Lot::default(), Lot::default());
    for (is_known, email) in order {
        tokio::time::sleep(CALM).await;
        let (took, answer) = asker.time(question, &email).await;
        let lot = if is_known { &mut known } else { &mut unknown };
        lot.ms.push(took.as_secs_f64() * 1e3);
        lot.answers.insert(answer);
    }
    (known, unknown)
}

/// Somebody who asks over one connection, each time as if from another network.
struct Asker {
    http: reqwest::Client,
    base: String,
    number: usize,
}

impl Asker {
    fn new(house: &House) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy();
        Self { http: http.build().unwrap(), base: house.client.url(""), number: 0 }
    }

    /// How long the answer took, and what it was.
    async fn time(&mut self, question: Question, email: &str) -> (Duration, String) {
        self.number += 1;
        let n = self.number;
        let from = format!("13.{}.{}.9", 1 + n / 250 % 250, 1 + n % 250);
        let (path, body) = match question {
            Question::Login => {
                ("/api/auth/login", json!({ "email": email, "password": "a guess of somebody" }))
            }
            Question::Register => (
                "/api/auth/register",
                json!({ "username": new_name(), "email": email, "password": "a word of my own" }),
            ),
            Question::Forgot => ("/api/auth/password/forgot", json!({ "email": email })),
        };
        let request = self.http.post(format!("{}{path}", self.base)).json(&body);
        let request = request.header("x-forwarded-for", from).build().unwrap();
        let start = Instant::now();
        let answer = self.http.execute(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap();
        let took = start.elapsed();
        (took, format!("{status}\n{}\n{}", shown(&headers), constant(&bytes)))
    }
}

/// All headers but those that are different each time.
fn shown(headers: &HeaderMap) -> String {
    let own = ["date", "x-request-id"];
    let mut lines: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// The body; of ids only how long they are, of times only that they are there.
fn constant(body: &[u8]) -> String {
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for (name, value) in fields.iter_mut() {
            match name.as_str() {
                "trace_id" | "registration_id" => *value = json!(value.as_str().map(str::len)),
                "expires_at" => *value = json!(value.is_string()),
                _ => {}
            }
        }
    }
    value.to_string()
}
