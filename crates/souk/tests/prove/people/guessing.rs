//! P39: guessing is bounded, by account wherever the guesses come from, and by address whomever they
//! are about; and the owner comes in by a new password.
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use http::Method;
use serde_json::{Value, json};
use souk_testkit::letter::{recipient, token, words};
use souk_testkit::shop::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD};
use souk_testkit::{Answer, Backend, Client};

use super::stage::{Stage, place};
use super::{Table, new_name};
use crate::amounts::amount;
use crate::evidence::show;
use crate::process::until;

/// Guesses come together, in so many waves over ten minutes.
const WAVES: usize = 100;
const BETWEEN: TimeDelta = TimeDelta::seconds(6);
/// Guesses of one address in the first proof.
const EACH: usize = 10;
const OF_AN_ACCOUNT: u64 = 10;
const OF_AN_ADDRESS: u64 = 100;
/// Accounts made with one token of the admin's.
const AT_ONE_DESK: usize = 1_000;
/// Of the owner, and of somebody who tries every account.
const HOME: &str = "198.51.100.20";
const GUESSER: &str = "203.0.113.77";

/// Limits of addresses are on, and do not hold back the desk that makes accounts.
const LIMITS: [(&str, &str); 6] = [
    ("gateway.trusted_proxies", "[\"127.0.0.1\"]"),
    ("gateway.rate_limit.enabled", "true"),
    ("gateway.rate_limit.per_second", "1000000"),
    ("gateway.rate_limit.burst", "10000000"),
    ("gateway.rate_limit.accounts_per_minute", "0"),
    ("gateway.max_in_flight", "100000"),
];
/// The same with a gateway that lets every login through to accounts.
const WIDE: [(&str, &str); 2] = [
    ("gateway.rate_limit.logins_per_minute", "100000"),
    ("gateway.rate_limit.routes.login", "off"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p39_guessing_is_bounded_on_sqlite() {
    guessing(Backend::Default).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p39_guessing_is_bounded_on_servers() {
    guessing(Backend::Servers).await;
}

/// What became of guesses.
#[derive(Default)]
struct Counts {
    guesses: u64,
    /// The password was looked at.
    checked: u64,
    /// Not heard, or sent away for a moment.
    refused: u64,
    other: u64,
}

impl Counts {
    fn note(&mut self, answer: &Answer) {
        self.guesses += 1;
        match answer.status {
            401 => self.checked += 1,
            429 | 503 => self.refused += 1,
            _ => {
                self.other += 1;
                eprintln!("unexpected: {} {}", answer.status, answer.text());
            }
        }
    }
}

async fn guessing(backend: Backend) {
    let n = amount(300, 10_000) as usize;
    let mut table = Table::new(&[
        "guesses",
        "n",
        "addresses",
        "accounts",
        "checked in 10 minutes",
        "promised",
        "not heard",
        "other",
        "the owner comes in",
    ]);
    let mut row = |what: &str, addresses: usize, accounts: usize, promised: u64, c: &Counts, o| {
        let Counts { guesses, checked, refused, other } = c;
        let figures: [&dyn std::fmt::Display; 8] =
            [guesses, &addresses, &accounts, checked, &promised, refused, other, &o];
        table.row(what, &figures);
        // all at once would be as wrong as none: then nobody was counted
        assert!(
            (5..=promised).contains(checked) && *other == 0,
            "{what}: {checked}, {other} other"
        );
    };

    let stage = Stage::open(backend, &LIMITS).await;
    let (counts, came_in) = one_account(&stage, n).await;
    row("on one account", n / EACH, 1, OF_AN_ACCOUNT, &counts, came_in);
    let emails = accounts(&stage, n).await;
    let counts = every_account(&stage, &emails).await;
    row("on every account, one address", 1, n, OF_AN_ADDRESS, &counts, "");
    stage.close().await;

    let wide: Vec<(&str, &str)> = LIMITS.into_iter().chain(WIDE).collect();
    let stage = Stage::open(backend, &wide).await;
    let emails = accounts(&stage, n).await;
    let counts = every_account(&stage, &emails).await;
    row("the same, the gateway lets all through", 1, n, OF_AN_ADDRESS, &counts, "");
    show("people", &format!("P39: guessing, {}", place(backend)), &table);
    stage.close().await;
}

/// An address in a network of its own.
fn address(number: usize) -> String {
    format!("11.{}.{}.9", 1 + number / 250, 1 + number % 250)
}

async fn guess(client: Client, email: String, password: String, from: String) -> Answer {
    let body = json!({ "email": email, "password": password });
    post(&client, "/api/auth/login", &body, &from).await
}

/// A request through a proxy that names its client.
async fn post(client: &Client, path: &str, body: &Value, from: &str) -> Answer {
    let request = client.request(Method::POST, path).header("x-forwarded-for", from);
    client.send(request.json(body)).await
}

/// Everybody guesses one password; the owner, on the device that they know and by a new password,
/// comes in nevertheless.
async fn one_account(stage: &Stage, n: usize) -> (Counts, &'static str) {
    let anonymous = stage.shop.anonymous();
    let (user, _) = stage.shop.person("customer").await;
    let email = user["email"].as_str().unwrap().to_owned();
    let right = json!({ "email": email, "password": PASSWORD });
    let known = post(&anonymous, "/api/auth/login", &right, HOME).await;
    known.expect(200);
    let device = known.field("device_token");

    stage.stands_still();
    let start = stage.now();
    let mut counts = Counts::default();
    for wave in 0..WAVES {
        stage.leaps_to(start, BETWEEN * i32::try_from(wave).unwrap());
        let guesses = (wave * n / WAVES..(wave + 1) * n / WAVES).map(|number| {
            let word = format!("guess number {number} of many");
            tokio::spawn(guess(anonymous.clone(), email.clone(), word, address(number / EACH)))
        });
        for answer in join_all(guesses).await {
            counts.note(&answer.unwrap());
        }
    }
    // the right word from elsewhere is not heard now: a guesser would not learn it either
    let elsewhere = post(&anonymous, "/api/auth/login", &right, "198.51.100.21").await;
    assert_eq!(elsewhere.status, 429, "{}", elsewhere.text());
    let mut at_home = right.clone();
    at_home["device_token"] = json!(device);
    let at_home = post(&anonymous, "/api/auth/login", &at_home, HOME).await;
    let forgot = json!({ "email": email });
    post(&anonymous, "/api/auth/password/forgot", &forgot, HOME).await.expect(202);
    stage.goes_on();
    let token = link(stage, &email).await;
    let new = json!({ "token": token, "password": "another long pass phrase" });
    let reset = post(&anonymous, "/api/auth/password/reset", &new, HOME).await;
    let login = json!({ "email": email, "password": "another long pass phrase" });
    let after = post(&anonymous, "/api/auth/login", &login, HOME).await;
    let came = [at_home.status, reset.status, after.status];
    assert_eq!(came, [200, 204, 200], "{} {}", reset.text(), after.text());
    (counts, "known device, reset")
}

/// The token of the one link that comes to this address.
async fn link(stage: &Stage, email: &str) -> String {
    let folder = stage.shop.store().data_dir().join("mail");
    let mut found = None;
    until(Duration::from_secs(60), async || {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "eml") {
                let raw = std::fs::read(entry.path()).unwrap();
                let raw = String::from_utf8_lossy(&raw);
                if recipient(&raw) == email {
                    found = token(&words(&raw)).map(str::to_owned).or(found.take());
                }
            }
        }
        found.is_some()
    })
    .await;
    found.unwrap_or_else(|| panic!("no link came to {email}"))
}

/// That many people; their addresses.
async fn accounts(stage: &Stage, n: usize) -> Vec<String> {
    let mut all = Vec::with_capacity(n);
    while all.len() < n {
        // anew each time: a token does not live as long as making all of them takes
        let admin = stage.shop.log_in(ADMIN_EMAIL, ADMIN_PASSWORD).await;
        // time has leapt: nobody works at the desk until the gateway has asked which sessions ended
        let open = until(Duration::from_secs(60), async || {
            admin.get("/api/users?limit=1").await.status == 200
        });
        assert!(open.await, "the desk stays closed");
        let made = (all.len()..n.min(all.len() + AT_ONE_DESK)).map(|_| account(admin.clone()));
        let made: Vec<String> = stream::iter(made).buffer_unordered(8).collect().await;
        all.extend(made);
    }
    all
}

async fn account(admin: Client) -> String {
    let name = new_name();
    let email = format!("{name}@people.example");
    let body = json!({
        "username": name, "email": email, "full_name": "Pat Proof", "password": PASSWORD,
        "role": "customer",
    });
    admin.post("/api/users", &body).await.expect(201);
    email
}

/// One address tries one password on each.
async fn every_account(stage: &Stage, emails: &[String]) -> Counts {
    let anonymous = stage.shop.anonymous();
    stage.stands_still();
    let start = stage.now();
    let mut counts = Counts::default();
    for wave in 0..WAVES {
        stage.leaps_to(start, BETWEEN * i32::try_from(wave).unwrap());
        let some = &emails[wave * emails.len() / WAVES..(wave + 1) * emails.len() / WAVES];
        let guesses = some.iter().map(|email| {
            let word = "guessed password of many".to_owned();
            tokio::spawn(guess(anonymous.clone(), email.clone(), word, GUESSER.to_owned()))
        });
        for answer in join_all(guesses).await {
            counts.note(&answer.unwrap());
        }
    }
    stage.goes_on();
    counts
}
