//! P36: half an hour without a visit ends a session, by refresh token and by cookie.
use chrono::TimeDelta;
use futures::stream::{self, StreamExt};
use http::Method;
use serde_json::json;
use souk_testkit::shop::PASSWORD;
use souk_testkit::{Answer, Backend, Shop};

use super::Table;
use super::stage::{Stage, place};
use crate::amounts::amount;
use crate::evidence::show;

/// Of one account.
const SESSIONS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p36_half_an_hour_without_a_visit_ends_a_session_on_sqlite() {
    half_an_hour(Backend::Default).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p36_half_an_hour_without_a_visit_ends_a_session_on_servers() {
    half_an_hour(Backend::Servers).await;
}

/// How somebody comes back.
#[derive(Clone, Debug)]
enum Key {
    Refresh(String),
    Cookie(String),
}

async fn half_an_hour(backend: Backend) {
    let sessions = amount(40, 1_000) as usize;
    let stage = Stage::open(backend, &[("accounts.max_devices", "50")]).await;
    let shop = &stage.shop;
    let mut people = Vec::new();
    for _ in 0..sessions.div_ceil(SESSIONS) {
        let (user, _) = shop.person("customer").await;
        people.push(user["email"].as_str().unwrap().to_owned());
    }
    // one moment for all, whatever the logins take
    stage.stands_still();
    let start = stage.now();
    // with the login of `person` there would be 51: that one ends, being the oldest
    let logins = (0..sessions).map(|number| opens(shop, &people[number % people.len()], number));
    let keys: Vec<Key> = stream::iter(logins).buffer_unordered(8).collect().await;

    let mut table = Table::new(&["a visit after", "sessions", "accepted", "refused", "other"]);
    let mut seen = Vec::new();
    // each visit counts anew, also for the second half of an hour
    let (mut since, mut keys) = (start, keys);
    for (name, after) in [("29:55", 1_795), ("29:55 once more", 1_795), ("30:05", 1_805)] {
        stage.leaps_to(since, TimeDelta::seconds(after));
        since = stage.now();
        let visits = stream::iter(keys).map(|key| visit(shop, key));
        let visits: Vec<(u16, Key)> = visits.buffer_unordered(8).collect().await;
        let count = |wanted: u16| visits.iter().filter(|(status, _)| *status == wanted).count();
        let (accepted, refused) = (count(200), count(401));
        let other = visits.len() - accepted - refused;
        table.row(name, &[&sessions, &accepted, &refused, &other]);
        seen.push([accepted, refused, other]);
        keys = visits.into_iter().map(|(_, key)| key).collect();
    }
    show("people", &format!("P36: 30 idle minutes, {}", place(backend)), &table);
    assert_eq!(seen, [[sessions, 0, 0], [sessions, 0, 0], [0, sessions, 0]], "{table}");
    stage.close().await;
}

/// A login, by turns with a refresh token and with a cookie.
async fn opens(shop: &Shop, email: &str, number: usize) -> Key {
    let anonymous = shop.anonymous();
    let browser = number % 2 == 1;
    let body = json!({ "email": email, "password": PASSWORD, "cookie": browser });
    let login = anonymous.request(Method::POST, "/api/auth/login");
    let login = login.header("sec-fetch-site", "same-origin").json(&body);
    let answer = anonymous.send(login).await;
    answer.expect(200);
    if browser { Key::Cookie(cookie(&answer)) } else { Key::Refresh(answer.field("refresh_token")) }
}

fn cookie(answer: &Answer) -> String {
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    let pair =
        set.filter_map(|line| line.split(';').next()).find(|p| p.starts_with("souk_session="));
    pair.unwrap_or_else(|| panic!("no session in {:?}", answer.headers)).to_owned()
}

/// The status, and the key to come back with.
async fn visit(shop: &Shop, key: Key) -> (u16, Key) {
    let anonymous = shop.anonymous();
    match key {
        Key::Refresh(token) => {
            let body = json!({ "refresh_token": token });
            let answer = anonymous.post("/api/auth/refresh", &body).await;
            let next = if answer.status == 200 { answer.field("refresh_token") } else { token };
            (answer.status, Key::Refresh(next))
        }
        Key::Cookie(pair) => {
            let request = anonymous.request(Method::GET, "/api/me").header("cookie", &pair);
            (anonymous.send(request).await.status, Key::Cookie(pair))
        }
    }
}
