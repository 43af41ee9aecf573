//! Souk under test: the release binary on one of its back ends, with generated products.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::http::Client;
use crate::process::{Process, free_address};
use crate::run::Servers;
use crate::system::Cpu;

const EMAIL: &str = "bench@souk.local";

/// What Souk stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Backend {
    /// SQLite and memory: nothing to install
    Default,
    /// PostgreSQL, RabbitMQ and Redis
    Production,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "SQLite",
            Self::Production => "PostgreSQL + RabbitMQ",
        }
    }
}

/// A shop that may be started and stopped, on data that stay.
pub(crate) struct Shop {
    program: PathBuf,
    dir: PathBuf,
    password: String,
    environment: BTreeMap<&'static str, String>,
}

impl Shop {
    /// A shop without products, in a folder of its own.
    pub(crate) fn new(program: &Path, dir: &Path, servers: Option<&Servers>) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let secret = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut environment = BTreeMap::new();
        if let Some(servers) = servers {
            environment.insert("SOUK_DATABASE__URL", servers.database.clone());
            environment.insert("SOUK_ACCOUNTS__ADMIN_SECOND_FACTOR", "off".into());
            environment.insert("SOUK_BUS__URL", servers.rabbitmq.clone());
            environment.insert("SOUK_CACHE__URL", servers.redis.clone());
            environment.insert("SOUK_SECRETS__SERVICE_TOKEN", secret());
            environment.insert("SOUK_SECRETS__SIGNING_KEY", secret());
        }
        // Limits stay on; they are only too wide to refuse the one address that asks.
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__PER_SECOND", "1000000".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__BURST", "10000000".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__ACCOUNTS_PER_MINUTE", "10000000".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__LOGINS_PER_MINUTE", "100000".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__ROUTES__LOGIN", "10000000/s".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__ROUTES__SEARCH", "10000000/s".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__ROUTES__ORDERS", "10000000/s".into());
        environment.insert("SOUK_GATEWAY__RATE_LIMIT__ROUTES__TRANSFER", "10000000/s".into());
        environment.insert("SOUK_GATEWAY__MAX_CONNECTIONS_PER_ADDRESS", "100000".into());
        // The desk logs in again and again, and customers as often as they can: none of their
        // devices may end for another one, for that writes letters.
        environment.insert("SOUK_ACCOUNTS__MAX_DEVICES", "50".into());
        // A crowd of customers logs in; only where it is measured may a hash cost what it costs.
        environment.insert("SOUK_ACCOUNTS__ARGON2__MEMORY_KIB", "64".into());
        environment.insert("SOUK_ACCOUNTS__ARGON2__ITERATIONS", "1".into());
        environment.insert("SOUK_ACCOUNTS__ACCESS_TOKEN_MINUTES", "60".into());
        Ok(Self { program: program.into(), dir: dir.into(), password: secret(), environment })
    }

    /// The same shop on the same data, with hashes at their full cost and without the limit of
    /// accounts: what a token adds to a request is looked at alone.
    pub(crate) fn with_full_hashes(mut self) -> Self {
        self.environment.remove("SOUK_ACCOUNTS__ARGON2__MEMORY_KIB");
        self.environment.remove("SOUK_ACCOUNTS__ARGON2__ITERATIONS");
        self.environment.insert("SOUK_GATEWAY__RATE_LIMIT__ACCOUNTS_PER_MINUTE", "0".into());
        self
    }

    /// Starts Souk; it answers products when this returns.
    pub(crate) fn open(&self) -> Result<Open> {
        let (address, operator) = (free_address()?, free_address()?);
        let mut serve = Command::new(&self.program);
        // A setting of ours that happens to be in the environment must not decide the figures.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SOUK_") {
                serve.env_remove(name);
            }
        }
        serve.current_dir(&self.dir).args(["serve", "--empty", "--data-dir"]);
        serve.arg(self.dir.join("data")).envs(&self.environment);
        serve.env("SOUK_ADMIN_EMAIL", EMAIL).env("SOUK_ADMIN_PASSWORD", &self.password);
        serve.env("SOUK_GATEWAY__LISTEN", address.to_string());
        serve.env("SOUK_GATEWAY__OPERATOR_LISTEN", operator.to_string());
        let start = Instant::now();
        let mut process = Process::start("souk", &mut serve, self.dir.join("souk.log"))?;
        let patience = Duration::from_secs(60);
        process.wait_until_ready(address, "/readyz", patience)?;
        process.wait_until_ready(address, "/api/products?limit=1", patience)?;
        let took = start.elapsed();
        // On a first start the admin comes last.
        process.wait_until_said("souk is open", patience)?;
        Ok(Open { process, address, operator, took, password: self.password.clone() })
    }
}

/// A shop that answers.
pub(crate) struct Open {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    operator: SocketAddr,
    /// From the start of the program to the first answer with products.
    pub(crate) took: Duration,
    password: String,
}

/// What an import took.
pub(crate) struct Import {
    /// From the request to the end of the job.
    pub(crate) took: Duration,
    /// From the request until every event of it was on the bus, if that could be seen.
    pub(crate) told: Option<Duration>,
    /// Processor time of Souk until then: all services, with what they make of the events.
    pub(crate) cpu: Duration,
}

impl Open {
    /// A client with the admin's token, which is good for some minutes.
    pub(crate) fn admin(&self) -> Result<Client> {
        let mut client = Client::new(self.address);
        let login = json!({ "email": EMAIL, "password": self.password }).to_string();
        let answer = client.post("/api/auth/login", "application/json", login.as_bytes())?;
        if answer.status != 200 {
            bail!("the login was answered {}: {}", answer.status, answer.text());
        }
        let tokens: Value = serde_json::from_slice(&answer.body)?;
        let token = tokens["access_token"].as_str().context("a login without access_token")?;
        client.token = Some(token.to_owned());
        Ok(client)
    }

    /// Imports a product file of `count` rows and waits for the end of its job.
    pub(crate) fn import(&self, csv: &str, count: usize) -> Result<Import> {
        let mut admin = self.admin()?;
        let line = "----souk-bench";
        let mut form = format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"currency\"\r\n\r\nEUR\r\n\
             --{line}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"bench.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n"
        );
        form.push_str(csv);
        form.push_str(&format!("\r\n--{line}--\r\n"));
        let kind = format!("multipart/form-data; boundary={line}");

        let before = Cpu::of(&[self.process.id()])?;
        let start = Instant::now();
        let answer = admin.post("/api/admin/products/import", &kind, form.as_bytes())?;
        if answer.status != 202 {
            bail!("the import was answered {}: {}", answer.status, answer.text());
        }
        let started: Value = serde_json::from_slice(&answer.body)?;
        let job = started["job_id"].as_str().context("an import without job_id")?;
        let path = format!("/api/admin/jobs/{job}");
        let took = loop {
            let job = admin.json(&path)?;
            match job["status"].as_str() {
                Some("waiting" | "running") => {}
                Some("succeeded") if job["counts"]["created"] == json!(count) => {
                    break start.elapsed();
                }
                _ => bail!("the import ended otherwise: {job}\n{}", self.process.last_lines()),
            }
            if start.elapsed() > Duration::from_secs(600) {
                bail!("the import is not done after ten minutes: {job}");
            }
            thread::sleep(Duration::from_millis(20));
        };
        let told = self.drained(start, count)?;
        let cpu = (Cpu::of(&[self.process.id()])? - before).total();
        Ok(Import { took, told, cpu })
    }

    /// Waits until an event of every product is on the bus; nothing if that could not be seen.
    fn drained(&self, start: Instant, count: usize) -> Result<Option<Duration>> {
        let end = Instant::now() + Duration::from_secs(120);
        while Instant::now() < end {
            let sent = self.metric("outbox_sent_total", "service=\"catalog\"")?;
            if sent.is_some_and(|sent| sent >= count as f64) {
                return Ok(Some(start.elapsed()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    /// One value of the metrics.
    pub(crate) fn metric(&self, name: &str, label: &str) -> Result<Option<f64>> {
        let text = Client::new(self.operator).body("/metrics")?;
        let text = String::from_utf8(text)?;
        let own = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && line.contains(label)
        };
        let line = text.lines().find(own);
        Ok(line.and_then(|line| line.rsplit_once(' ')).and_then(|(_, value)| value.parse().ok()))
    }

    /// The ids of all products.
    pub(crate) fn products(&self) -> Result<Vec<String>> {
        let mut client = Client::new(self.address);
        let mut ids = Vec::new();
        let mut path = "/api/products?limit=100".to_owned();
        loop {
            let page = client.json(&path)?;
            let items = page["items"].as_array().context("a list without items")?;
            ids.extend(items.iter().filter_map(|item| item["id"].as_str()).map(str::to_owned));
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/products?limit=100&cursor={cursor}"),
                None => return Ok(ids),
            }
        }
    }
}

/// Views that analytics has counted, as the desk shows them.
pub(crate) fn views(admin: &mut Client) -> Result<u64> {
    let totals = admin.json("/api/admin/stats/totals")?;
    totals["views"].as_u64().context("totals without views")
}
