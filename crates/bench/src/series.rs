//! One question to both servers in turn: bare, Souk, bare, Souk …, so that noise hits both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::load::{self, Load, Target};
use crate::system::Cpu;

/// One of the two servers.
pub(crate) struct Side {
    pub(crate) address: SocketAddr,
    pub(crate) targets: Arc<[Target]>,
    /// The processes whose time and whose descendants' time this server's answers cost.
    pub(crate) processes: Vec<u32>,
    /// Under load before anything is measured.
    pub(crate) warm_up: Duration,
}

/// The medians of one server's rounds.
#[derive(Debug, Default)]
pub(crate) struct Medians {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Microseconds of processor time per answer, by program.
    pub(crate) cpu: BTreeMap<&'static str, f64>,
    /// Seconds of work after the last answer.
    pub(crate) settled: f64,
    /// All answers of all rounds, with those of the warm-ups.
    pub(crate) answers: u64,
}

impl Medians {
    pub(crate) fn cpu_total(&self) -> f64 {
        self.cpu.values().sum()
    }

    fn of(rounds: &[Round]) -> Self {
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let programs = rounds.first().map(|round| round.cpu.keys().copied()).into_iter().flatten();
        let cpu = programs.map(|name| {
            let times = rounds.iter().filter_map(|round| round.cpu.get(name).copied());
            (name, median(times.collect()))
        });
        Self {
            cpu: cpu.collect(),
            rate: of(|round| round.rate),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            settled: of(|round| round.settled),
            answers: rounds.iter().map(|round| round.answers).sum(),
        }
    }
}

struct Round {
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: BTreeMap<&'static str, f64>,
    settled: f64,
    answers: u64,
}

/// Both servers, `rounds` times; the first of the result is the first of the sides.
pub(crate) fn compare(sides: [&Side; 2], load: Load, rounds: u64) -> Result<[Medians; 2]> {
    let mut done = [Vec::new(), Vec::new()];
    for number in 0..rounds {
        for (side, done) in sides.into_iter().zip(&mut done) {
            done.push(round(side, load, number * 1_000)?);
        }
    }
    Ok(done.map(|rounds| Medians::of(&rounds)))
}

/// The processor time is that of the measured answers and of the work that they leave behind: a
/// view is recorded after the answer that it counts.
fn round(side: &Side, load: Load, seed: u64) -> Result<Round> {
    let warm_up = Load { time: side.warm_up, ..load };
    let warmed = load::run(side.address, &side.targets, warm_up, seed)?;
    let before = Cpu::of(&side.processes)?;
    let outcome = load::run(side.address, &side.targets, load, seed + 500)?;
    let settled = settle(&side.processes)?;
    let used = Cpu::of(&side.processes)? - before;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / outcome.answers() as f64;
    Ok(Round {
        rate: outcome.answers() as f64 / load.time.as_secs_f64(),
        p50: outcome.percentile(0.50),
        p99: outcome.percentile(0.99),
        cpu: used.0.into_iter().map(|(name, time)| (name, each(time))).collect(),
        settled: settled.as_secs_f64(),
        answers: warmed.answers() + outcome.answers(),
    })
}

/// Waits until the processes use less than a twelfth of a core; says how long they used more.
pub(crate) fn settle(processes: &[u32]) -> Result<Duration> {
    const WINDOW: Duration = Duration::from_millis(240);
    const QUIET: Duration = Duration::from_millis(20);
    const PATIENCE: Duration = Duration::from_secs(60);
    let start = Instant::now();
    let mut before = Cpu::of(processes)?;
    loop {
        let passed = start.elapsed();
        thread::sleep(WINDOW);
        let now = Cpu::of(processes)?;
        if (now.clone() - before).total() <= QUIET || passed > PATIENCE {
            return Ok(passed);
        }
        before = now;
    }
}

/// The middle of the values, the mean of the two middle ones, or 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_not_moved_by_one_bad_round() {
        assert!((median(vec![3.0, 900.0, 1.0]) - 3.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
    }
}
