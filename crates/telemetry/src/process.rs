//! What this process takes of the machine, from Linux' `/proc`; elsewhere the metrics are missing.
use std::fs;

use metrics::{Unit, describe_gauge, gauge};

const MEMORY: &str = "process_resident_memory_bytes";
const CPU: &str = "process_cpu_seconds_total";
const FDS: &str = "process_open_fds";
const THREADS: &str = "process_threads";

/// The kernel tells times in hundredths of a second to user space (USER_HZ), on every architecture
/// we build for.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) fn describe() {
    describe_gauge!(MEMORY, Unit::Bytes, "resident memory");
    describe_gauge!(CPU, Unit::Seconds, "processor time in user and kernel mode since the start");
    describe_gauge!(FDS, Unit::Count, "open file descriptors");
    describe_gauge!(THREADS, Unit::Count, "threads");
}

pub(crate) fn refresh() {
    if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(memory) {
        gauge!(MEMORY).set(bytes);
    }
    if let Some((cpu, threads)) =
        fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(stat)
    {
        gauge!(CPU).set(cpu);
        gauge!(THREADS).set(threads);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // the directory that is being read is one of them
        let open = u32::try_from(entries.count()).unwrap_or(u32::MAX).saturating_sub(1);
        gauge!(FDS).set(open);
    }
}

/// `VmRSS:    1234 kB` in bytes.
fn memory(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// Seconds of processor time (fields 14 and 15), threads (field 20). The second field is the
/// program's name in parentheses and may hold anything.
fn stat(stat: &str) -> Option<(f64, f64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let mut field = |at: usize| fields.nth(at)?.parse::<f64>().ok();
    let (user, kernel) = (field(11)?, field(0)?);
    let threads = field(4)?;
    Some(((user + kernel) / TICKS_PER_SECOND, threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(memory("Name:\tsouk\nVmRSS:\t    2048 kB\nThreads:\t3\n"), Some(2_097_152.0));
        assert_eq!(memory("Name:\tsouk\n"), None);
    }

    #[test]
    fn times_are_read_behind_any_name() {
        let line = "1 (a) b) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 7 0 99";
        assert_eq!(stat(line), Some((2.0, 7.0)));
        assert_eq!(stat("1 (souk) R"), None);
    }
}
