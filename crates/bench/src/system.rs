//! Processor time and memory of processes, as the kernel tells them in `/proc`.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// Milliseconds of a tick of `/proc`: it tells times in hundredths of a second whatever the kernel's
/// own clock is.
const TICK: u64 = 10;

/// Processor time (user and system) by program.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cpu(pub(crate) BTreeMap<&'static str, Duration>);

impl Cpu {
    /// What these processes and all below them have used so far, with ended ones.
    pub(crate) fn of(roots: &[u32]) -> Result<Self> {
        let mut sum = Self::default();
        for process in below(roots)? {
            let time = Duration::from_millis(process.ticks * TICK);
            *sum.0.entry(program(&process.name)).or_default() += time;
        }
        Ok(sum)
    }

    pub(crate) fn total(&self) -> Duration {
        self.0.values().sum()
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        let since = |(name, time): (&'static str, Duration)| {
            let before = before.0.get(name).copied().unwrap_or_default();
            (name, time.saturating_sub(before))
        };
        Self(self.0.into_iter().map(since).collect())
    }
}

/// The program's name as people know it.
fn program(name: &str) -> &'static str {
    match name {
        souk if souk.starts_with("souk") => "souk",
        "postgres" => "PostgreSQL",
        "beam.smp" => "RabbitMQ",
        "redis-server" => "Redis",
        _ => "other",
    }
}

struct Stat {
    id: u32,
    parent: u32,
    name: String,
    /// Own time and that of ended children that were waited for.
    ticks: u64,
}

impl Stat {
    /// One line of `/proc/PID/stat`: `12 (a name) S 1 …`.
    fn read(line: &str) -> Option<Self> {
        let (id, rest) = line.split_once(" (")?;
        // The name may hold brackets and blanks itself.
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
        Some(Self {
            id: id.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            name: name.to_owned(),
            ticks: ticks.sum::<Option<u64>>()?,
        })
    }
}

/// The processes and all their descendants.
fn below(roots: &[u32]) -> Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").context("no /proc: the bench needs Linux")? {
        let path = entry?.path().join("stat");
        // What is no process, or has just ended, is passed over.
        all.extend(fs::read_to_string(path).ok().and_then(|line| Stat::read(&line)));
    }
    let mut wanted: HashSet<u32> = roots.iter().copied().collect();
    loop {
        let known = wanted.len();
        let children = all.iter().filter(|process| wanted.contains(&process.parent));
        let children: Vec<u32> = children.map(|process| process.id).collect();
        wanted.extend(children);
        if wanted.len() == known {
            all.retain(|process| wanted.contains(&process.id));
            return Ok(all);
        }
    }
}

/// Resident memory of a process, in bytes.
pub(crate) fn memory(process: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = kilobytes.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("no VmRSS")?.trim().parse()?;
    Ok(kilobytes * 1024)
}

/// What the run ran on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gb: f64,
    kernel: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let line = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, rest)| rest.trim().to_owned())
        };
        let kilobytes = line("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kilobytes: f64 = kilobytes.trim_end_matches(" kB").parse().unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gb: (kilobytes * 1024.0 / 1e8).round() / 10.0,
            kernel: kernel.trim().to_owned(),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_gb, kernel } = self;
        write!(out, "{processor}, {cores} cores, {memory_gb} GB, Linux {kernel}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_whatever_the_name() {
        let line = "12 (a) b (c) S 7 12 12 0 -1 4 1 2 3 4 100 20 3 1 20 0 1 0 5 6 7";
        let stat = Stat::read(line).expect("a line");
        assert_eq!((stat.id, stat.parent, stat.name.as_str()), (12, 7, "a) b (c"));
        assert_eq!(stat.ticks, 124);
    }

    #[test]
    fn children_count_and_so_do_ended_ones() {
        let me = std::process::id();
        let before = Cpu::of(&[me]).expect("cpu");
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let status = std::process::Command::new("sh").args(["-c", work]).status().expect("sh");
        assert!(status.success());
        assert!((Cpu::of(&[me]).expect("cpu") - before).total() > Duration::ZERO);
        assert!(memory(me).expect("memory") > 100_000);
    }

    #[test]
    fn a_difference_never_goes_below_zero() {
        let of = |milliseconds| Cpu([("souk", Duration::from_millis(milliseconds))].into());
        assert_eq!(of(30) - of(10), of(20));
        assert_eq!(of(10) - of(30), of(0));
    }
}
