//! Two hundred people who log in in the same moment, while others go on reading.
//!
//! Readers keep a pace of their own, well below what the shop can answer: at full load everything
//! takes its share from everything, and what is asked here is whether logins go before others.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::{PEOPLE, Person, Plan};
use crate::dice::Dice;
use crate::http::Client;
use crate::series::median;
use crate::shop::Open;

/// Readers, and the time between two reads of one: 800 a second.
const READERS: u64 = 8;
const PACE: Duration = Duration::from_millis(10);
/// Reads alone are measured for so long.
const ALONE: Duration = Duration::from_secs(3);

/// What reads took, alone and beside the crowd.
pub(super) struct Burst {
    /// Milliseconds: medians of the rounds.
    pub(super) alone: f64,
    pub(super) p99: f64,
    let_in: u64,
    sent_away: u64,
    /// Seconds from the first login to the last answer.
    took: f64,
}

impl Burst {
    pub(super) fn note(&self) -> String {
        let Self { alone, p99, let_in, sent_away, took } = self;
        let pace = READERS as f64 / PACE.as_secs_f64();
        format!(
            "{p99:.1} / {alone:.1} ms, {pace:.0} reads/s of details, lists and carts; {let_in} logged \
             in, {sent_away} told to come again; all answered after {took:.1} s"
        )
    }
}

pub(super) fn measure(plan: &Plan, open: &Open, people: &[Person]) -> Result<Burst> {
    let products = open.products()?;
    let (mut alone, mut beside, mut took) = (Vec::new(), Vec::new(), Vec::new());
    let (mut let_in, mut sent_away) = (0, 0);
    for round in 0..plan.rounds {
        let quiet = || {
            thread::sleep(ALONE);
            Ok(())
        };
        alone.push(reading(open, people, &products, round, quiet)?);
        let mut counts = (0, 0, Duration::ZERO);
        let rush = || {
            counts = arrive(open, people)?;
            Ok(())
        };
        beside.push(reading(open, people, &products, round + 1_000, rush)?);
        let (let_in_now, sent_away_now, time) = counts;
        let_in += let_in_now;
        sent_away += sent_away_now;
        took.push(time.as_secs_f64());
    }
    Ok(Burst { alone: median(alone), p99: median(beside), let_in, sent_away, took: median(took) })
}

/// The p99 of reads, in milliseconds, while `during` lasts.
fn reading(
    open: &Open,
    people: &[Person],
    products: &[String],
    round: u64,
    during: impl FnOnce() -> Result<()>,
) -> Result<f64> {
    let end = AtomicBool::new(false);
    let mut times = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let end = &end;
                let dice = Dice::new(round * 7_919 + number);
                scope.spawn(move || read(open, people, products, dice, end))
            })
            .collect();
        let outcome = during();
        end.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        for reader in readers {
            times.extend(reader.join().map_err(|_| anyhow!("a reader panicked"))??);
        }
        outcome.map(|()| times)
    })?;
    times.sort_unstable();
    let at = times.len().saturating_sub(1) * 99 / 100;
    match times.get(at) {
        Some(time) => Ok(time.as_secs_f64() * 1e3),
        None => bail!("nobody read anything"),
    }
}

/// Reads at its pace; a read that begins late is counted from when it was due.
fn read(
    open: &Open,
    people: &[Person],
    products: &[String],
    mut dice: Dice,
    end: &AtomicBool,
) -> Result<Vec<Duration>> {
    let mut client = Client::new(open.address);
    let mut times = Vec::new();
    // connected, and not all in one moment
    client.body("/api/products?limit=24")?;
    let mut due = Instant::now() + PACE.mul_f64(dice.below(100) as f64 / 100.0);
    while !end.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        client.token = None;
        match dice.below(10) {
            0..7 => client.body(&format!("/api/products/{}", dice.pick(products)))?,
            7..9 => client.body("/api/products?limit=24")?,
            _ => {
                client.token = Some(dice.pick(people).token.clone());
                client.body("/api/cart")?
            }
        };
        times.push(due.elapsed());
        due += PACE;
    }
    Ok(times)
}

/// Everybody at once: how many were let in, how many told to come again, how long it took.
fn arrive(open: &Open, people: &[Person]) -> Result<(u64, u64, Duration)> {
    let start = Barrier::new(PEOPLE + 1);
    let (let_in, sent_away) = (AtomicU64::new(0), AtomicU64::new(0));
    let took = thread::scope(|scope| {
        let threads: Vec<_> = people
            .iter()
            .take(PEOPLE)
            .map(|person| {
                let (start, let_in, sent_away) = (&start, &let_in, &sent_away);
                scope.spawn(move || {
                    let mut client = Client::new(open.address);
                    let body = person.login().to_string();
                    start.wait();
                    let answer =
                        client.post("/api/auth/login", "application/json", body.as_bytes())?;
                    match answer.status {
                        200 => let_in.fetch_add(1, Ordering::Relaxed),
                        503 => sent_away.fetch_add(1, Ordering::Relaxed),
                        other => bail!("a login was answered {other}: {}", answer.text()),
                    };
                    Ok(())
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a login panicked"))??;
        }
        anyhow::Ok(begun.elapsed())
    })?;
    Ok((let_in.into_inner(), sent_away.into_inner(), took))
}
