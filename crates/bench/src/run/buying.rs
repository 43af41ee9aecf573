//! Buying under load, beside the same rows written by a bare loop on the same kind of database.
mod floor;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Plan, Servers, processes, step};
use crate::dice::Dice;
use crate::goods;
use crate::http::Client;
use crate::report::{Figure, Target as Promise};
use crate::series::{self, median};
use crate::shop::{Backend, Open};
use crate::system::Cpu;

use self::floor::Floor;

/// Connections that buy.
const CLIENTS: usize = 16;
/// Lines of an order.
const LINES: usize = 2;

/// Somebody with a token.
pub(super) type Token = Arc<str>;

/// How fast something went, and what one of it cost.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// A second.
    pub(super) rate: f64,
    /// Microseconds of processor time.
    pub(super) cpu: f64,
}

/// The figures of buying.
pub(super) fn figures(
    plan: &Plan,
    backend: Backend,
    open: &Open,
    servers: Option<&Servers>,
    dir: &Path,
) -> Result<Vec<Figure>> {
    let figure = |name: &str, unit, value| Figure::new(backend.name(), name, unit, value);
    step(backend, "customers");
    let buyers = customers(open, plan.buyers)?;
    let products = Arc::new(open.products()?);
    let floor = Floor::open(dir, servers, plan.buyers)?;
    let souk = processes(open, servers);
    let own: Vec<u32> = std::iter::once(std::process::id()).chain(servers.map(|s| s.pid)).collect();
    series::settle(&souk)?;

    step(backend, "carts and orders");
    let (mut adds, mut rows) = (Vec::new(), Vec::new());
    let (mut orders, mut floors) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        adds.push(paced(&souk, buyers.len() * LINES, || {
            each(open, &buyers, round, |client, dice| add(client, dice, &products, LINES))
        })?);
        rows.push(paced(&own, buyers.len() * LINES, || floor.carts(buyers.len() * LINES))?);
        orders.push(paced(&souk, buyers.len(), || {
            each(open, &buyers, round, |client, _| place(client))
        })?);
        floors.push(paced(&own, buyers.len(), || floor.orders(buyers.len()))?);
    }
    step(backend, "reads alone, then the mix");
    let mut alone = Vec::new();
    let mut mixed = Vec::new();
    for round in 0..plan.rounds {
        alone.push(mix(plan, open, &buyers, &products, round, false)?);
        mixed.push(mix(plan, open, &buyers, &products, round, true)?);
    }

    let rate = |paces: &[Pace]| median(paces.iter().map(|pace| pace.rate).collect());
    let cpu = |paces: &[Pace]| median(paces.iter().map(|pace| pace.cpu).collect());
    let p99 = |mixes: &[Mix]| median(mixes.iter().map(|mix| mix.p99).collect());
    let ops = |mixes: &[Mix]| median(mixes.iter().map(|mix| mix.rate).collect());
    let (dear, cheap) = (cpu(&orders), cpu(&floors));
    Ok(vec![
        figure("add to cart", "adds/s", rate(&adds))
            .beside(rate(&rows))
            .target(Promise::RatioAtLeast(0.5))
            .note(format!("floor: a bare row; CPU {:.0} / {:.0} us", cpu(&adds), cpu(&rows))),
        figure("order of two lines", "orders/s", rate(&orders))
            .beside(rate(&floors))
            .target(Promise::RatioAtLeast(0.3))
            .note("floor: the same rows, one bare transaction each"),
        figure("order of two lines, server CPU by the floor's", "times", dear / cheap)
            .target(Promise::AtMost(4.0))
            .note(format!("{dear:.0} / {cheap:.0} us")),
        figure("mix", "operations/s", ops(&mixed))
            .note("70 % detail, 15 list, 8 filter, 5 add, 2 order"),
        figure("mix, p99 of reads by that of reads alone", "times", p99(&mixed) / p99(&alone))
            .target(Promise::AtMost(2.0))
            .note(format!("{:.1} / {:.1} ms", p99(&mixed), p99(&alone))),
    ])
}

/// New accounts, logged in.
pub(super) fn customers(open: &Open, count: usize) -> Result<Vec<Token>> {
    let mut admin = open.admin()?;
    let mut tokens = Vec::with_capacity(count);
    let word = format!("{:x}", rand::random::<u32>());
    for number in 0..count {
        let (name, password) = (format!("b{word}x{number}"), "a pass phrase for the bench");
        let email = format!("{name}@bench.example");
        let user = json!({
            "username": name, "email": email, "full_name": "Bea Buyer", "password": password,
            "role": "customer",
        });
        expect(&mut admin, "/api/users", &user, 201)?;
        let login = json!({ "email": email, "password": password });
        let answer = expect(&mut Client::new(open.address), "/api/auth/login", &login, 200)?;
        let token = answer["access_token"].as_str().context("a login without a token")?;
        tokens.push(token.into());
    }
    Ok(tokens)
}

pub(super) fn expect(client: &mut Client, path: &str, body: &Value, status: u16) -> Result<Value> {
    let answer = client.post(path, "application/json", body.to_string().as_bytes())?;
    if answer.status != status {
        bail!("POST {path} was answered {}: {}", answer.status, answer.text());
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

/// Everybody once, over a few connections.
fn each(
    open: &Open,
    buyers: &[Token],
    round: u64,
    act: impl Fn(&mut Client, &mut Dice) -> Result<()> + Sync,
) -> Result<()> {
    let share = buyers.len().div_ceil(CLIENTS);
    thread::scope(|scope| {
        let threads = buyers.chunks(share).enumerate().map(|(number, some)| {
            let act = &act;
            scope.spawn(move || {
                let mut client = Client::new(open.address);
                let mut dice = Dice::new(round * 1_000 + number as u64);
                for token in some {
                    client.token = Some(token.to_string());
                    act(&mut client, &mut dice)?;
                }
                anyhow::Ok(())
            })
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a buyer panicked"))??;
        }
        Ok(())
    })
}

fn add(client: &mut Client, dice: &mut Dice, products: &[String], lines: usize) -> Result<()> {
    for _ in 0..lines {
        let body = json!({ "product_id": dice.pick(products) });
        expect(client, "/api/cart", &body, 200)?;
    }
    Ok(())
}

fn place(client: &mut Client) -> Result<()> {
    expect(client, "/api/orders", &json!({}), 201).map(|_| ())
}

/// Times `count` of something, with the work that it leaves behind.
pub(super) fn paced(
    processes: &[u32],
    count: usize,
    act: impl FnOnce() -> Result<()>,
) -> Result<Pace> {
    let before = Cpu::of(processes)?;
    let start = Instant::now();
    act()?;
    let took = start.elapsed();
    series::settle(processes)?;
    let used = (Cpu::of(processes)? - before).total();
    Ok(Pace {
        rate: count as f64 / took.as_secs_f64(),
        cpu: used.as_secs_f64() * 1e6 / count as f64,
    })
}

/// What a mix of operations came to.
struct Mix {
    rate: f64,
    /// Milliseconds, of reads.
    p99: f64,
}

fn mix(
    plan: &Plan,
    open: &Open,
    buyers: &[Token],
    products: &Arc<Vec<String>>,
    round: u64,
    buying: bool,
) -> Result<Mix> {
    let until = Instant::now() + plan.load.time;
    let share = buyers.len().div_ceil(CLIENTS);
    let threads: Vec<_> = buyers
        .chunks(share)
        .enumerate()
        .map(|(number, some)| {
            let (address, products, some) = (open.address, Arc::clone(products), some.to_vec());
            thread::spawn(move || {
                let mut client = Client::new(address);
                let mut dice = Dice::new(round * 7_919 + number as u64);
                let (mut reads, mut writes) = (Vec::new(), 0_u64);
                while Instant::now() < until {
                    let turn = dice.below(if buying { 100 } else { 93 });
                    if turn < 93 {
                        client.token = None;
                        let path = match turn {
                            0..70 => format!("/api/products/{}", dice.pick(&products)),
                            70..85 => {
                                let category = goods::category(dice.below(goods::CATEGORIES));
                                format!("/api/products?category={category}&limit=24")
                            }
                            _ => format!("/api/products?q=amber+{}&limit=24", dice.below(10)),
                        };
                        let start = Instant::now();
                        client.body(&path)?;
                        reads.push(start.elapsed());
                        continue;
                    }
                    client.token = Some(dice.pick(&some).to_string());
                    add(&mut client, &mut dice, &products, 1)?;
                    if turn >= 98 {
                        place(&mut client)?;
                    }
                    writes += 1;
                }
                Ok((reads, writes))
            })
        })
        .collect();
    let (mut reads, mut writes) = (Vec::new(), 0);
    for thread in threads {
        let done: Result<(Vec<Duration>, u64)> =
            thread.join().map_err(|_| anyhow::anyhow!("a buyer panicked"))?;
        let (some, more) = done?;
        reads.extend(some);
        writes += more;
    }
    reads.sort_unstable();
    let at = reads.len().saturating_sub(1) * 99 / 100;
    let p99 = reads.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let rate = (reads.len() as f64 + writes as f64) / plan.load.time.as_secs_f64();
    Ok(Mix { rate, p99 })
}
