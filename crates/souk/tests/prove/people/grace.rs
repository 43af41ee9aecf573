//! P37: a refresh token that comes fifty times at once has one successor and signs nobody out; one
//! that comes back after fifteen seconds ends its family, and the owner is told.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use serde_json::json;

use super::letters::{Letters, SIGNED_OUT};
use super::statistics::percentile;
use super::usage::{Fate, Use, fate};
use super::{Login, Person, Table, patient};
use crate::amounts::{amount, is_full};
use crate::buyers::{crowded, verified};
use crate::client::Client;
use crate::evidence::show;
use crate::house::{Ground, House};

const AT_ONCE: usize = 50;
/// Beyond the grace of ten seconds.
const LATER: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p37_a_double_click_signs_nobody_out_and_a_stolen_token_does_on_sqlite() {
    let house = House::whole(crowded(Ground::folder())).await;
    refreshes(house, "the one process, SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p37_a_double_click_signs_nobody_out_and_a_stolen_token_does_on_servers() {
    let house = House::with_gateways(crowded(Ground::servers().await), 3).await;
    refreshes(house, "three gateways, PostgreSQL and RabbitMQ").await;
}

/// A session whose token was shown many times at once.
struct Family {
    person: Person,
    first: Login,
    /// What came of it at last.
    last: Login,
    refused: u64,
    /// Different successors beyond the one.
    strays: u64,
    broken: u64,
}

async fn refreshes(house: House, place: &str) {
    let n = amount(6, 500);
    let families = stream::iter(0..n).map(|_| family(&house)).buffered(1);
    let families: Vec<Family> = families.collect().await;
    // the time itself is what is proven: the youngest family is as old as it must be
    tokio::time::sleep(LATER).await;
    let letters = Letters::of(&house.data());
    let ends = stream::iter(&families).map(|family| replayed(&house, &letters, family));
    let ends: Vec<(Fate, bool, usize)> = ends.buffer_unordered(6).collect().await;

    let asked = u64::from(n) * AT_ONCE as u64;
    let sum = |of: fn(&Family) -> u64| families.iter().map(of).sum::<u64>();
    let (out, strays, broken) = (sum(|f| f.refused), sum(|f| f.strays), sum(|f| f.broken));
    let late: Vec<Duration> = ends.iter().map(|(fate, ..)| fate.late).collect();
    let slowest = percentile(&late, 1.0).unwrap_or_default();
    let revived: u64 = ends.iter().map(|(fate, ..)| fate.revived).sum();
    let alive = ends.iter().filter(|(_, alive, _)| *alive).count();
    let letters_wrong = ends.iter().filter(|(_, _, letters)| *letters != 1).count();
    let mut table = Table::new(&[
        "what",
        "families",
        "refreshes",
        "false sign-outs",
        "other successors",
        "families broken",
        "alive after the replay",
        "family dead after ms",
        "accepted again",
        "letters lost or doubled",
    ]);
    table.row(
        "50 refreshes at once, replay after 15 s",
        &[
            &n,
            &asked,
            &out,
            &strays,
            &broken,
            &alive,
            &slowest.as_millis(),
            &revived,
            &letters_wrong,
        ],
    );
    show("people", &format!("P37: refresh tokens, {place}"), &table);
    assert_eq!([out, strays, broken, revived], [0, 0, 0, 0], "{table}");
    assert_eq!([alive, letters_wrong], [0, 0], "{table}");
    assert!(!is_full() || slowest <= SECOND, "{table}");
    println!("{}", verified(&house).await);
}

async fn family(house: &House) -> Family {
    let person = Person::new(&house.client, "customer").await;
    let first = person.logs_in(&house.client).await;
    let asked = (0..AT_ONCE).map(|number| {
        let door = house.doors[number % house.doors.len()].clone();
        let token = first.refresh.clone();
        tokio::spawn(async move { refresh(&door, &token).await })
    });
    let answers = join_all(asked).await.into_iter().map(Result::unwrap);
    let (given, refused): (Vec<_>, Vec<_>) = answers.partition(Option::is_some);
    let given: Vec<Login> = given.into_iter().flatten().collect();
    let successors: BTreeSet<&String> = given.iter().map(|login| &login.refresh).collect();
    let strays = successors.len().saturating_sub(1) as u64;
    // the session goes on from there
    let next = given.first().expect("somebody gets a successor");
    let last = refresh(&house.client, &next.refresh).await;
    let broken = u64::from(last.is_none());
    let last = last.unwrap_or_else(|| next.clone());
    Family { person, first, last, refused: refused.len() as u64, strays, broken }
}

/// `None`: signed out.
async fn refresh(door: &Client, token: &str) -> Option<Login> {
    let body = json!({ "refresh_token": token });
    let (status, answer) = patient(door, None, "/api/auth/refresh", &body).await;
    match status {
        200 => Some(Login::of(&answer)),
        401 => None,
        _ => panic!("{status} {answer}"),
    }
}

/// Somebody shows the first token once more. Answers what became of the access token, whether the
/// family can still go on, and how many letters its owner got.
async fn replayed(house: &House, letters: &Letters, family: &Family) -> (Fate, bool, usize) {
    let taken = async {
        let answer = refresh(&house.client, &family.first.refresh).await;
        assert!(answer.is_none(), "a token was good after {LATER:?}");
        Instant::now()
    };
    let fate = fate(&house.doors, &family.last.access, Use::Cart, taken).await;
    let alive = refresh(&house.client, &family.last.refresh).await.is_some();
    let came = letters.wait_for(&family.person.email, SIGNED_OUT, 1).await;
    (fate, alive, came)
}
