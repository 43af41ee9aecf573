//! Private PostgreSQL, RabbitMQ, Redis and localstripe servers for tests and development.
//!
//! The servers belong to a second process, the keeper, that lives in a process group of its own
//! and reads from a pipe held by us. However we end (done, failed, Ctrl-C, killed), the pipe
//! closes and the keeper stops the servers and removes their data. No signal handler is needed.

pub(crate) mod keeper;
mod localstripe;
mod packages;
mod place;
pub(crate) mod ports;
mod postgres;
mod rabbitmq;
mod redis;

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

pub(crate) use packages::install;

/// What the keeper reports once every server answers.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    dir: PathBuf,
    postgres: Postgres,
    env: Vec<(String, String)>,
}

/// Where the private PostgreSQL is; its user is `souk`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Postgres {
    pub(crate) bin: PathBuf,
    pub(crate) port: u16,
    pub(crate) password: String,
}

impl Postgres {
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://souk:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }
}

/// Running servers; they stop when this value is dropped or our process ends.
pub(crate) struct Servers {
    keeper: Child,
    lifeline: Option<ChildStdin>,
    report: Report,
}

impl Servers {
    /// Starts all servers, installing them first where that is possible and needed.
    pub(crate) fn start() -> Result<Self> {
        eprintln!("xtask: starting PostgreSQL, RabbitMQ, Redis and localstripe");
        let mut keeper = Command::new(std::env::current_exe()?)
            .arg("keep-servers")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Away from the terminal's group: Ctrl-C reaches us, and the closed pipe the keeper.
            .process_group(0)
            .spawn()
            .context("cannot start the keeper of the servers")?;
        let lifeline = keeper.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line.is_empty() {
            keeper.wait()?;
            bail!("the servers did not start; the reason stands above");
        }
        let report = serde_json::from_str(&line).context("the keeper speaks in riddles")?;
        Ok(Self { keeper, lifeline, report })
    }

    /// The environment by which tests find the servers.
    pub(crate) fn env(&self) -> &[(String, String)] {
        &self.report.env
    }

    pub(crate) fn get(&self, name: &str) -> Result<&str> {
        let found = self.env().iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("no server tells {name}"))
    }

    pub(crate) fn postgres(&self) -> &Postgres {
        &self.report.postgres
    }

    /// The process below which all servers run.
    pub(crate) fn pid(&self) -> u32 {
        self.keeper.id()
    }

    /// The folder of the servers, removed at their end.
    pub(crate) fn dir(&self) -> &Path {
        &self.report.dir
    }

    /// From now on every child of ours holds the pipe too, so that the servers outlive it. After
    /// Ctrl-C a program that drains still finds its database.
    pub(crate) fn outlive_children(&self) -> Result<()> {
        if let Some(lifeline) = &self.lifeline {
            rustix::io::fcntl_setfd(lifeline, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }

    fn wait(mut self) -> Result<()> {
        let status = self.keeper.wait()?;
        bail!("the keeper of the servers ended ({status})");
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.lifeline = None;
        let _ = self.keeper.wait();
    }
}

/// `cargo xtask servers`
pub(crate) fn run() -> Result<()> {
    let servers = Servers::start()?;
    let mut env = servers.env().to_vec();
    env.extend(crate::test::data());
    for (name, value) in &env {
        println!("export {name}='{value}'");
    }
    eprintln!("xtask: the servers run until Ctrl-C");
    servers.wait()
}
