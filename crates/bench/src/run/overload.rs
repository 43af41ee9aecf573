//! Five times as many requests as the shop can answer: what is still answered in time.
//!
//! They are requests that the router hands on: searches and carts of people who are logged in. What
//! is answered from memory costs no more than it costs to be refused.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::buying::customers;
use super::{Plan, Servers, WARM_UP, logins, processes, step};
use crate::arrivals::{self, Arrivals, Requests, Tally};
use crate::dice::Dice;
use crate::goods;
use crate::report::{Figure, Target as Promise};
use crate::series::{self, median};
use crate::shop::{Backend, Open};
use crate::system::Cpu;

/// Times the peak.
const OVER: f64 = 5.0;
/// Whoever waits longer has gone.
const IN_TIME: Duration = Duration::from_secs(1);
/// More than the shop works on at once and refuses at once together.
const CONNECTIONS: usize = 4_096;
const PEOPLE: usize = 100;
const REQUESTS: usize = 2_000;

/// What came of one load, a second.
struct Round {
    /// Answered in time.
    goodput: f64,
    p99: f64,
    tally: Tally,
    /// Part of all cores that the load itself took.
    own: f64,
}

/// The figures under overload.
pub(super) fn figures(
    plan: &Plan,
    backend: Backend,
    open: &Open,
    servers: Option<&Servers>,
) -> Result<Vec<Figure>> {
    let figure = |name: &str, unit, value| Figure::new(backend.name(), name, unit, value);
    step(backend, "the peak, then five times as much");
    let requests = requests(open)?;
    let souk = processes(open, servers);
    let mut peaks = Vec::new();
    for round in 0..plan.rounds {
        series::settle(&souk)?;
        let (most, threads) = (plan.load.connections, plan.load.threads);
        let peak = |time, seed| {
            arrivals::peak(open.address, &requests, most, threads, time, round * 1_000 + seed)
        };
        peak(WARM_UP / 3, 0)?;
        peaks.push(peak(plan.load.time, 500)?);
    }
    let peak = median(peaks);
    let (mut once, mut over) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        for (times, rounds) in [(1.0, &mut once), (OVER, &mut over)] {
            series::settle(&souk)?;
            rounds.push(come(plan, open, &requests, peak * times, round * 1_000)?);
        }
    }

    let goodput = |rounds: &[Round]| median(rounds.iter().map(|round| round.goodput).collect());
    let p99 = |rounds: &[Round]| median(rounds.iter().map(|round| round.p99).collect());
    let own = median(over.iter().map(|round| round.own).collect());
    let sum = |count: fn(&Tally) -> u64| over.iter().map(|round| count(&round.tally)).sum::<u64>();
    let note = format!(
        "200s within {} s, beside those at the peak of {peak:.0}/s; of {} there were told when to \
         come again {}, late {}, refused otherwise {}, lost {}; p99 of 200s {:.0} / {:.0} ms; the \
         load itself took {:.0} % of the cores",
        IN_TIME.as_secs(),
        sum(|tally| tally.came),
        sum(|tally| tally.told),
        sum(|tally| tally.late),
        sum(|tally| tally.failed),
        sum(|tally| tally.lost),
        p99(&over),
        p99(&once),
        own * 100.0,
    );
    Ok(vec![
        figure("goodput under five times the load", "answers/s", goodput(&over))
            .beside(goodput(&once))
            .target(Promise::RatioAtLeast(0.9))
            .note(note),
    ])
}

/// So many requests a second, first until the shop has found its limit, then measured.
fn come(plan: &Plan, open: &Open, requests: &Requests, rate: f64, seed: u64) -> Result<Round> {
    let threads = plan.load.threads;
    let arrivals =
        Arrivals { rate, time: WARM_UP, patience: IN_TIME, threads, connections: CONNECTIONS };
    arrivals::run(open.address, requests, arrivals, seed)?;
    let arrivals = Arrivals { time: plan.load.time, ..arrivals };
    // the shop is a child of this process
    let own = || anyhow::Ok(Cpu::of(&[std::process::id()])? - Cpu::of(&[open.process.id()])?);
    let before = own()?;
    let mut tally = arrivals::run(open.address, requests, arrivals, seed + 500)?;
    let used = (own()? - before).total();
    let seconds = plan.load.time.as_secs_f64();
    Ok(Round {
        goodput: tally.in_time as f64 / seconds,
        p99: tally.p99(),
        own: used.as_secs_f64() / seconds / logins::cores() as f64,
        tally,
    })
}

/// Of ten requests four read a cart, four search and two change a cart.
fn requests(open: &Open) -> Result<Requests> {
    let people = customers(open, PEOPLE)?;
    let products = open.products()?;
    let mut dice = Dice::new(5);
    let requests = (0..REQUESTS).map(|number| {
        let person = number % people.len();
        let product = &products[person % products.len()];
        let (verb, path, body) = match number / people.len() % 10 {
            0..4 => ("GET", "/api/cart".to_owned(), String::new()),
            4..8 => (
                "GET",
                format!("/api/products?q={}&limit=24", goods::words(&mut dice)),
                String::new(),
            ),
            _ => ("POST", "/api/cart".to_owned(), format!("{{\"product_id\":\"{product}\"}}")),
        };
        let token = &people[person];
        let length = body.len();
        format!(
            "{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    });
    Ok(requests.collect::<Vec<_>>().into())
}

/// Lets this process, and those that it starts, have a file descriptor for every connection.
pub(super) fn allow_connections() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = (CONNECTIONS + 1_024) as u64;
    if limit.current.is_some_and(|now| now < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
        setrlimit(Resource::Nofile, limit).context("no file descriptors for the connections")?;
    }
    Ok(())
}
