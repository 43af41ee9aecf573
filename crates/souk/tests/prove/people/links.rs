//! P38: a link to a new password works once, for fifteen minutes, and not after another way was
//! taken; what is kept of it opens nothing.
use chrono::TimeDelta;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use serde_json::json;
use souk_testkit::Backend;
use souk_testkit::letter::{recipient, token, words};

use super::letters::Letters;
use super::search::{Secrets, hits};
use super::stage::{Stage, place};
use super::{Person, Table, patient};
use crate::amounts::amount;
use crate::buyers::{crowded, verified};
use crate::client::Client;
use crate::evidence::show;
use crate::house::{Ground, House, PASSWORD};
use crate::process::until;

const AT_ONCE: usize = 50;
const RESET: &str = "/api/auth/password/reset";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p38_a_link_works_once_and_is_kept_as_a_hash_on_sqlite() {
    let house = House::whole(crowded(Ground::folder())).await;
    works_once(house, "the one process, SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p38_a_link_works_once_and_is_kept_as_a_hash_on_servers() {
    let house = House::with_gateways(crowded(Ground::servers().await), 3).await;
    works_once(house, "three gateways, PostgreSQL and RabbitMQ").await;
}

/// What came of many links.
#[derive(Default)]
struct Counts {
    used: u64,
    once: u64,
    refused: u64,
    other: u64,
    /// Passwords that open the account although they were not set.
    wrong_doors: u64,
    replaced: u64,
    overtaken: u64,
}

async fn works_once(house: House, place: &str) {
    let n = amount(6, 200) as usize;
    let letters = Letters::of(&house.data());
    let asked = (0..n).map(|_| asks(&house, &letters));
    let raced: Vec<(Person, String)> = stream::iter(asked).buffer_unordered(8).collect().await;
    let tokens: Vec<&String> = raced.iter().map(|(_, token)| token).collect();
    // a search that finds nothing proves nothing unless it can find something
    let sought = Secrets::of_tokens(tokens.iter().copied());
    let known = hits(&house, &Secrets::of_text(&raced[0].0.email)).await;
    let before = hits(&house, &sought).await;

    let mut counts = Counts::default();
    for (person, token) in &raced {
        race(&house, person, token, &mut counts).await;
        other_ways(&house, &letters, person, token, &mut counts).await;
    }
    let after = hits(&house, &sought).await;
    let mut table = Table::new(&[
        "what",
        "links",
        "uses",
        "used once",
        "refused",
        "other",
        "passwords of the refused that open",
        "replaced ones that work",
        "overtaken ones that work",
        "found in databases and logs",
    ]);
    let uses = n * AT_ONCE;
    let found = before + after;
    table.row(
        "50 uses at once",
        &[
            &n,
            &uses,
            &counts.once,
            &counts.refused,
            &counts.other,
            &counts.wrong_doors,
            &counts.replaced,
            &counts.overtaken,
            &found,
        ],
    );
    show("people", &format!("P38: links to a new password, {place}"), &table);
    assert_eq!((counts.used, counts.once), (n as u64, n as u64), "{table}");
    assert_eq!(counts.refused, (uses - n) as u64, "{table}");
    assert_eq!([counts.other, counts.wrong_doors], [0, 0], "{table}");
    assert_eq!([counts.replaced, counts.overtaken], [0, 0], "{table}");
    assert_eq!(found, 0, "{table}");
    assert!(known > 0, "the search does not even find an address");
    println!("{}", verified(&house).await);
}

/// Somebody new, and the link that they asked for.
async fn asks(house: &House, letters: &Letters) -> (Person, String) {
    let person = Person::new(&house.client, "customer").await;
    person.forgets(&house.client).await;
    let token = letters.link(&person.email, &[]).await;
    (person, token)
}

fn numbered(number: usize) -> String {
    format!("long word number {number} of many")
}

/// Fifty at once, each with a password of its own.
async fn race(house: &House, person: &Person, token: &str, counts: &mut Counts) {
    let uses = (0..AT_ONCE).map(|number| {
        let door = house.doors[number % house.doors.len()].clone();
        let body = json!({ "token": token, "password": numbered(number) });
        tokio::spawn(async move { patient(&door, None, RESET, &body).await })
    });
    let answers = join_all(uses).await.into_iter().map(Result::unwrap);
    let mut winners = Vec::new();
    for (number, (status, answer)) in answers.enumerate() {
        match (status, answer["code"].as_str().unwrap_or_default()) {
            (204, _) => winners.push(number),
            (404, "reset_not_found") => counts.refused += 1,
            _ => {
                counts.other += 1;
                eprintln!("unexpected: {status} {answer}");
            }
        }
    }
    counts.used += winners.len() as u64;
    counts.once += u64::from(winners.len() == 1);
    let winner = winners.first().copied().unwrap_or_default();
    for wrong in [PASSWORD.to_owned(), numbered((winner + 1) % AT_ONCE)] {
        let (status, _) = person.tries(&house.client, &wrong).await;
        counts.wrong_doors += u64::from(status != 401);
    }
    let (status, answer) = person.tries(&house.client, &numbered(winner)).await;
    assert_eq!(status, 200, "the password of the one that worked: {answer}");
    let (status, _) = uses_link(&house.client, token).await;
    counts.other += u64::from(status != 404);
}

async fn uses_link(door: &Client, token: &str) -> (u16, serde_json::Value) {
    let body = json!({ "token": token, "password": "a word of somebody else's link" });
    patient(door, None, RESET, &body).await
}

/// A link that a newer one replaced, and one whose account got a new password in between.
async fn other_ways(
    house: &House,
    letters: &Letters,
    person: &Person,
    used: &str,
    counts: &mut Counts,
) {
    let mut known = vec![used.to_owned()];
    for _ in 0..2 {
        person.forgets(&house.client).await;
        known.push(letters.link(&person.email, &known).await);
    }
    let (status, _) = uses_link(&house.client, &known[1]).await;
    counts.replaced += u64::from(status != 404);
    let other = Person::new(&house.client, "customer").await;
    let login = other.logs_in(&house.client).await;
    other.forgets(&house.client).await;
    let token = letters.link(&other.email, &[]).await;
    let body = json!({ "current_password": PASSWORD, "new_password": numbered(0) });
    let change = "/api/auth/password/change";
    let (status, answer) = patient(&house.client, Some(&login.access), change, &body).await;
    assert_eq!(status, 200, "{answer}");
    let (status, _) = uses_link(&house.client, &token).await;
    counts.overtaken += u64::from(status != 404);
    // the newest one still works
    let (status, answer) = uses_link(&house.client, &known[2]).await;
    assert_eq!(status, 204, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p38_a_link_is_good_for_fifteen_minutes_on_sqlite() {
    fifteen_minutes(Backend::Default).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p38_a_link_is_good_for_fifteen_minutes_on_servers() {
    fifteen_minutes(Backend::Servers).await;
}

async fn fifteen_minutes(backend: Backend) {
    let n = amount(5, 200) as usize;
    let stage = Stage::open(backend, &[]).await;
    let shop = &stage.shop;
    let anonymous = shop.anonymous();
    let mut people = Vec::new();
    for _ in 0..2 * n {
        let (user, _) = shop.person("customer").await;
        people.push(user["email"].as_str().unwrap().to_owned());
    }
    // all links are of one moment; then time passes while their letters are written
    stage.stands_still();
    let start = stage.now();
    let forgot = people.iter().map(|email| {
        let anonymous = anonymous.clone();
        async move {
            let body = json!({ "email": email });
            anonymous.post("/api/auth/password/forgot", &body).await.expect(202);
        }
    });
    stream::iter(forgot).buffer_unordered(8).collect::<Vec<()>>().await;
    stage.goes_on();
    let tokens = links(&stage, &people).await;
    let mut table = Table::new(&["used after", "links", "worked", "expired", "other"]);
    let mut seen = Vec::new();
    for (name, after, some) in [("14:59", 899, &tokens[..n]), ("15:01", 901, &tokens[n..])] {
        stage.leaps_to(start, TimeDelta::seconds(after));
        let uses = some.iter().map(|token| {
            let anonymous = anonymous.clone();
            async move {
                let body = json!({ "token": token, "password": "another long pass phrase" });
                anonymous.post(RESET, &body).await.status
            }
        });
        let uses: Vec<u16> = stream::iter(uses).buffer_unordered(8).collect().await;
        let count = |wanted: u16| uses.iter().filter(|status| **status == wanted).count();
        let (worked, expired) = (count(204), count(410));
        let other = uses.len() - worked - expired;
        table.row(name, &[&n, &worked, &expired, &other]);
        seen.push([worked, expired, other]);
    }
    show("people", &format!("P38: links and their end, {}", place(backend)), &table);
    assert_eq!(seen, [[n, 0, 0], [0, n, 0]], "{table}");
    stage.close().await;
}

/// The tokens that came to these addresses, in their order.
async fn links(stage: &Stage, people: &[String]) -> Vec<String> {
    let folder = stage.shop.store().data_dir().join("mail");
    let mut found = std::collections::HashMap::new();
    let mut read = std::collections::HashSet::new();
    let all = until(std::time::Duration::from_secs(300), async || {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let whole = entry.path().extension().is_some_and(|end| end == "eml");
            if whole && read.insert(entry.path()) {
                let raw = std::fs::read(entry.path()).unwrap();
                let raw = String::from_utf8_lossy(&raw);
                if let Some(token) = token(&words(&raw)) {
                    found.insert(recipient(&raw), token.to_owned());
                }
            }
        }
        people.iter().all(|email| found.contains_key(email))
    });
    let all = all.await;
    assert!(all, "only {} of {} links came", found.len(), people.len());
    people.iter().map(|email| found[email].clone()).collect()
}
