//! Logging in: how much of it is the hash, what it takes from others, and what a token costs.
mod crowd;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::{Value, json};

use super::buying::{Pace, expect, paced};
use super::{Plan, Servers, WARM_UP, processes, step};
use crate::http::Client;
use crate::load::Target;
use crate::report::{Figure, Target as Promise};
use crate::series::{self, Side, median};
use crate::shop::{Backend, Open};

/// People who log in. Each does so less than fifty times: none of their devices ends for another.
const PEOPLE: usize = 200;
/// Connections that log in.
const CLIENTS: usize = 16;
const PASSWORD: &str = "a pass phrase for the bench";
/// Products that are read with tokens.
const PRODUCTS_READ: usize = 1_000;

/// Argon2id as accounts has it unless told otherwise (`[accounts.argon2]`).
const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

/// Hashes at once, in accounts and in the floor.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Somebody who was here before.
#[derive(Clone)]
struct Person {
    email: String,
    /// Shows that the device is known: then nobody is told of a new one.
    device: String,
    token: String,
}

/// The figures of logging in.
pub(super) fn figures(
    plan: &Plan,
    backend: Backend,
    open: &Open,
    servers: Option<&Servers>,
) -> Result<Vec<Figure>> {
    let figure = |name: &str, unit, value| Figure::new(backend.name(), name, unit, value);
    step(backend, "people who log in");
    let people = people(open)?;
    let souk = processes(open, servers);
    let own = [std::process::id()];
    series::settle(&souk)?;

    step(backend, "logins");
    let (mut logins, mut hashes): (Vec<Pace>, Vec<Pace>) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        hashes.push(timed(&own, || hash_for(plan.load.time))?);
        let first = usize::try_from(round)? * PEOPLE / 3;
        logins.push(timed(&souk, || log_in_for(open, &people, first, plan.load.time))?);
    }
    step(backend, "200 logins at once");
    let burst = crowd::measure(plan, open, &people)?;
    series::settle(&souk)?;
    step(backend, "reads with a token");
    let [without, with] = reads(plan, open, &souk, &people)?;

    let rate = |paces: &[Pace]| median(paces.iter().map(|pace| pace.rate).collect());
    let cpu = |paces: &[Pace]| median(paces.iter().map(|pace| pace.cpu).collect());
    let added = (with.cpu_total() / without.cpu_total() - 1.0) * 100.0;
    Ok(vec![
        figure("login", "logins/s", rate(&logins))
            .beside(rate(&hashes))
            .target(Promise::RatioAtLeast(0.8))
            .note("floor: the same Argon2id hash and nothing else, one loop per core"),
        figure("login, server CPU", "us/login", cpu(&logins)).beside(cpu(&hashes)),
        figure("p99 of reads while 200 logins arrive at once", "times", burst.p99 / burst.alone)
            .target(Promise::AtMost(2.0))
            .note(burst.note()),
        figure("token verification, server CPU of a product read", "% more", added)
            .target(Promise::AtMost(15.0))
            .note(format!(
                "{:.1} / {:.1} us, both through the router",
                with.cpu_total(),
                without.cpu_total()
            )),
    ])
}

/// New accounts, each of which has logged in on its device.
fn people(open: &Open) -> Result<Vec<Person>> {
    let mut admin = open.admin()?;
    let mut anonymous = Client::new(open.address);
    let word = format!("{:x}", rand::random::<u32>());
    let mut people = Vec::with_capacity(PEOPLE);
    for number in 0..PEOPLE {
        let email = format!("l{word}x{number}@bench.example");
        let user = json!({
            "username": format!("l{word}x{number}"), "email": email, "full_name": "Lea Login",
            "password": PASSWORD, "role": "customer",
        });
        expect(&mut admin, "/api/users", &user, 201)?;
        let login = json!({ "email": email, "password": PASSWORD });
        let answer = expect(&mut anonymous, "/api/auth/login", &login, 200)?;
        let text = |name: &str| -> Result<String> {
            let value = answer[name].as_str().with_context(|| format!("a login without {name}"))?;
            Ok(value.to_owned())
        };
        let (device, token) = (text("device_token")?, text("access_token")?);
        people.push(Person { email, device, token });
    }
    Ok(people)
}

impl Person {
    fn login(&self) -> Value {
        json!({ "email": self.email, "password": PASSWORD, "device_token": self.device })
    }
}

/// Times as much of something as goes into a while, with the work that it leaves behind.
fn timed(processes: &[u32], act: impl FnOnce() -> Result<(usize, Duration)>) -> Result<Pace> {
    let mut done = (0, Duration::ZERO);
    let whole = paced(processes, 1, || {
        done = act()?;
        Ok(())
    })?;
    let (count, took) = done;
    if count == 0 {
        bail!("nothing was done in {took:?}");
    }
    Ok(Pace { rate: count as f64 / took.as_secs_f64(), cpu: whole.cpu / count as f64 })
}

/// The floor: hashes on every core; how many, and how long they took.
fn hash_for(time: Duration) -> Result<(usize, Duration)> {
    let start = Instant::now();
    let threads: Vec<_> = (0..cores())
        .map(|_| {
            thread::spawn(move || {
                let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None)
                    .map_err(|error| anyhow!("Argon2: {error}"))?;
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let (mut out, mut count) = ([0; 32], 0_usize);
                while start.elapsed() < time {
                    let salt: [u8; 16] = rand::random();
                    argon2
                        .hash_password_into(PASSWORD.as_bytes(), &salt, &mut out)
                        .map_err(|error| anyhow!("Argon2: {error}"))?;
                    count += 1;
                }
                anyhow::Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for thread in threads {
        count += thread.join().map_err(|_| anyhow!("a hash panicked"))??;
    }
    Ok((count, start.elapsed()))
}

/// Everybody logs in by turns, over kept connections.
fn log_in_for(
    open: &Open,
    people: &[Person],
    first: usize,
    time: Duration,
) -> Result<(usize, Duration)> {
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn(move || {
                    let mut client = Client::new(open.address);
                    let mut count = 0_usize;
                    // people of one connection are nobody else's: no two logins of one account meet
                    let own = people.iter().skip(number).step_by(CLIENTS);
                    for person in own.cycle().skip(first / CLIENTS) {
                        if start.elapsed() >= time {
                            break;
                        }
                        expect(&mut client, "/api/auth/login", &person.login(), 200)?;
                        count += 1;
                    }
                    anyhow::Ok(count)
                })
            })
            .collect();
        let mut count = 0;
        for thread in threads {
            count += thread.join().map_err(|_| anyhow!("a login panicked"))??;
        }
        Ok((count, start.elapsed()))
    })
}

/// Product reads without and with a token, both through the router: what an anonymous reader gets
/// from memory before it would be compared with something else.
fn reads(
    plan: &Plan,
    open: &Open,
    souk: &[u32],
    people: &[Person],
) -> Result<[series::Medians; 2]> {
    // a request of a page of ours, which is not answered before the router
    let origin = format!("Origin: http://{}\r\n", open.address);
    let mut client = Client::new(open.address);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for (number, id) in open.products()?.iter().take(PRODUCTS_READ).enumerate() {
        let path = format!("/api/products/{id}");
        let length = client.body(&path)?.len();
        let token = people.get(number % people.len()).map_or("", |person| person.token.as_str());
        let bearer = format!("{origin}Authorization: Bearer {token}\r\n");
        without.push(Target::with(&path, length, &origin));
        with.push(Target::with(&path, length, &bearer));
    }
    let side = |targets: Vec<Target>| Side {
        address: open.address,
        targets: Arc::from(targets),
        processes: souk.to_vec(),
        warm_up: WARM_UP / 3,
    };
    series::compare([&side(without), &side(with)], plan.load, plan.rounds)
}
