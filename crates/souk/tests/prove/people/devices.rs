//! P35: however many log in at once, an account has three devices, and the oldest is told why it is
//! out.
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use serde_json::Value;

use super::letters::{Letters, SIGNED_OUT};
use super::{Login, Person, Table, text};
use crate::amounts::amount;
use crate::buyers::{crowded, verified};
use crate::evidence::show;
use crate::house::{Ground, House, PASSWORD};

const AT_ONCE: usize = 50;
const DEVICES: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p35_fifty_logins_at_once_leave_three_devices_on_sqlite() {
    let house = House::whole(three(Ground::folder())).await;
    leave_three(house, "the one process, SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p35_fifty_logins_at_once_leave_three_devices_on_servers() {
    let house = House::with_gateways(three(Ground::servers().await), 3).await;
    leave_three(house, "three gateways, PostgreSQL and RabbitMQ").await;
}

/// As shops are unless told otherwise.
fn three(ground: Ground) -> Ground {
    crowded(ground).with("SOUK_ACCOUNTS__MAX_DEVICES", "3")
}

/// Somebody who logged in everywhere at once.
struct Crowd {
    person: Person,
    logins: Vec<Login>,
    /// Sessions whose token still opens the account.
    live: BTreeSet<String>,
    /// What the account lists as its devices.
    listed: BTreeSet<String>,
}

async fn leave_three(house: House, place: &str) {
    let n = amount(5, 200);
    let crowds = stream::iter(0..n).map(|_| crowd(&house)).buffered(1);
    let crowds: Vec<Crowd> = crowds.collect().await;
    let evicted = evictions(&house, &crowds).await;
    let letters = Letters::of(&house.data());
    let (mut exact, mut oldest) = (0, 0);
    let (mut lost, mut doubled, mut wrong) = (0, 0, 0);
    let (mut told, mut untold) = (0, 0);
    for crowd in &crowds {
        exact += u64::from(crowd.live.len() == DEVICES && crowd.live == crowd.listed);
        // ids are in the order in which sessions began
        let mut ids: Vec<&String> = crowd.logins.iter().map(|login| &login.session).collect();
        ids.sort();
        let newest: BTreeSet<&String> = ids.iter().rev().take(DEVICES).copied().collect();
        oldest += u64::from(newest == crowd.live.iter().collect());
        let out = ids.len() - DEVICES;
        for id in ids {
            let times = evicted.get(id).copied().unwrap_or_default();
            let due = u64::from(!crowd.live.contains(id));
            lost += due.saturating_sub(times);
            doubled += times.saturating_sub(due.max(1));
            wrong += u64::from(due == 0 && times > 0);
        }
        let came = letters.wait_for(&crowd.person.email, SIGNED_OUT, out).await;
        told += came;
        untold += came.abs_diff(out);
    }
    let mut table = Table::new(&[
        "what",
        "accounts",
        "logins",
        "exactly three live",
        "the newest three",
        "ends told, lost",
        "doubled",
        "wrong",
        "letters",
        "lost or doubled",
    ]);
    let logins: usize = crowds.iter().map(|crowd| crowd.logins.len()).sum();
    table.row(
        "50 logins at once",
        &[&n, &logins, &exact, &oldest, &lost, &doubled, &wrong, &told, &untold],
    );
    show("people", &format!("P35: at most three devices, {place}"), &table);
    assert_eq!((exact, oldest), (u64::from(n), u64::from(n)), "{table}");
    assert_eq!([lost, doubled, wrong], [0, 0, 0], "{table}");
    assert_eq!(untold, 0, "{table}");
    println!("{}", verified(&house).await);
}

async fn crowd(house: &House) -> Crowd {
    let person = Person::new(&house.client, "customer").await;
    let tries = (0..AT_ONCE).map(|number| {
        let (person, door) = (person.clone(), house.doors[number % house.doors.len()].clone());
        tokio::spawn(async move { person.logs_in_with(&door, PASSWORD).await })
    });
    let logins: Vec<Login> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    let (mut live, mut listed) = (BTreeSet::new(), BTreeSet::new());
    for login in &logins {
        let desk = &house.client;
        let list = desk.ask(Some(&login.access), "GET", "/api/auth/sessions", None).await;
        let (status, list) = list.unwrap();
        if status == 200 {
            live.insert(login.session.clone());
            listed = list["items"].as_array().unwrap().iter().map(|s| text(&s["id"])).collect();
        } else {
            assert_eq!(status, 401, "{list}");
        }
    }
    Crowd { person, logins, live, listed }
}

/// How often each session of these people was told to have ended for a newer one.
async fn evictions(house: &House, crowds: &[Crowd]) -> BTreeMap<String, u64> {
    let people: BTreeSet<&String> = crowds.iter().map(|crowd| &crowd.person.id).collect();
    let mut times = BTreeMap::new();
    for event in house.client.items("/api/admin/events?service=accounts").await {
        if event["event_type"] != "souk.accounts.session.ended.v1" {
            continue;
        }
        let payload: Value = serde_json::from_str(&text(&event["payload"])).unwrap();
        if !people.contains(&text(&payload["user_id"])) {
            continue;
        }
        assert_eq!(payload["reason"], "evicted", "{payload}");
        for id in payload["session_ids"].as_array().unwrap() {
            *times.entry(text(id)).or_default() += 1;
        }
    }
    times
}
