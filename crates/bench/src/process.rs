//! Programs that run beside the bench and end with it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::http::Client;

/// Looked at this often when a moment is to be caught.
const OFTEN: Duration = Duration::from_millis(2);

/// A running program; it is killed with this value at the latest.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the program with its output in a log file.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a GET is answered 200. The end of the program or of the patience is an error
    /// with the last lines of its log.
    pub(crate) fn wait_until_ready(
        &mut self,
        address: SocketAddr,
        path: &str,
        patience: Duration,
    ) -> Result<()> {
        self.wait_until(patience, || {
            Client::new(address).get(path).is_ok_and(|answer| answer.status == 200)
        })
    }

    /// Waits until its output holds these words; errors as above.
    pub(crate) fn wait_until_said(&mut self, words: &str, patience: Duration) -> Result<()> {
        let log = self.log.clone();
        self.wait_until(patience, || {
            fs::read(&log).is_ok_and(|text| String::from_utf8_lossy(&text).contains(words))
        })
    }

    fn wait_until(&mut self, patience: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !done() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended by itself ({status})\n{}", self.name, self.last_lines());
            }
            if start.elapsed() > patience {
                bail!("{} is not ready after {patience:?}\n{}", self.name, self.last_lines());
            }
            thread::sleep(OFTEN);
        }
        Ok(())
    }

    /// Asks the program to end and waits for it; says how long that took.
    pub(crate) fn stop(mut self, patience: Duration) -> Result<Duration> {
        let start = Instant::now();
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        while start.elapsed() < patience {
            if self.child.try_wait()?.is_some() {
                return Ok(start.elapsed());
            }
            thread::sleep(OFTEN);
        }
        bail!("{} did not end in {patience:?}\n{}", self.name, self.last_lines())
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A free port of the loopback address, below those that the system gives to outgoing connections
/// (32768 and up): between our look and the start of the server nobody is handed it.
pub(crate) fn free_address() -> Result<SocketAddr> {
    for _ in 0..1_000 {
        let port = 20_000 + rand::random::<u16>() % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        }
    }
    bail!("no free port between 20000 and 32000")
}
