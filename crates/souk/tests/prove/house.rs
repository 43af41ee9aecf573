//! The shop as its operators start it: one process, or one for each service on servers.
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sea_orm::ConnectionTrait;
use souk_storage::{Database, DatabaseSettings};
use tempfile::TempDir;
use uuid::Uuid;

use crate::client::Client;
use crate::process::{Process, free_port, tied, until};

pub(crate) const ADMIN: &str = "admin@prove.example";
pub(crate) const PASSWORD: &str = "a long word for proving things";
/// All services, in the order of their start.
pub(crate) const SERVICES: [&str; 6] =
    ["accounts", "catalog", "analytics", "orders", "notifier", "gateway"];
/// The name of the process that is all of them.
pub(crate) const WHOLE: &str = "souk";

/// A shop whose processes die as told.
pub(crate) struct House {
    pub(crate) client: Client,
    pub(crate) bus_url: String,
    dir: TempDir,
    members: Vec<Member>,
}

struct Member {
    name: &'static str,
    arguments: Vec<String>,
    env: Vec<(String, String)>,
    process: Option<Process>,
}

/// What a house stands on.
pub(crate) struct Ground {
    bus_url: String,
    database_url: String,
    cache_url: String,
    env: Vec<(String, String)>,
}

impl Ground {
    /// Nothing but a folder.
    pub(crate) fn folder() -> Self {
        let nothing = String::new();
        let (bus_url, database_url) = (nothing.clone(), nothing.clone());
        Self { bus_url, database_url, cache_url: nothing, env: Vec::new() }
    }

    /// PostgreSQL, RabbitMQ and Redis, with databases and queues of its own.
    pub(crate) async fn servers() -> Self {
        let word = Uuid::new_v4().simple().to_string();
        let bus_url = format!("{}?souk_prefix=prove{word}", server("SOUK_TEST_RABBITMQ_URL"));
        Self::on_broker(bus_url, &word).await
    }

    /// PostgreSQL and Redis, and that broker.
    pub(crate) async fn private_broker(url: &str) -> Self {
        Self::on_broker(url.to_owned(), &Uuid::new_v4().simple().to_string()).await
    }

    async fn on_broker(bus_url: String, word: &str) -> Self {
        let postgres = server("SOUK_TEST_POSTGRES_URL");
        let settings = DatabaseSettings { url: postgres.clone(), ..DatabaseSettings::default() };
        let admin = Database::open(&settings, Path::new("/nowhere"), "prove").await.unwrap();
        for service in SERVICES.iter().filter(|name| **name != "gateway") {
            let sql = format!("CREATE DATABASE prove_{word}_{service}");
            admin.write().execute_unprepared(&sql).await.unwrap();
        }
        admin.close().await.unwrap();
        let (base, _) = postgres.rsplit_once('/').unwrap();
        Self {
            bus_url,
            database_url: format!("{base}/prove_{word}_{{service}}"),
            cache_url: server("SOUK_TEST_REDIS_URL"),
            env: Vec::new(),
        }
    }

    /// With one more setting, by its variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn env(&self) -> Vec<(String, String)> {
        let mut env = self.env.clone();
        let mut set = |name: &str, value: &str| env.push((name.to_owned(), value.to_owned()));
        set("SOUK_ADMIN_EMAIL", ADMIN);
        set("SOUK_ADMIN_PASSWORD", PASSWORD);
        set("SOUK_GATEWAY__RATE_LIMIT__ENABLED", "false");
        set("SOUK_LOG__LEVEL", "info");
        // one letter a change, so that letters can be counted
        set("SOUK_NOTIFIER__DIGEST__THRESHOLD", "1000");
        set("SOUK_NOTIFIER__DIGEST__WINDOW", "1s");
        if !self.database_url.is_empty() {
            set("SOUK_DATABASE__URL", &self.database_url);
            set("SOUK_DATABASE__MAX_CONNECTIONS", "6");
            set("SOUK_BUS__URL", &self.bus_url);
            set("SOUK_CACHE__URL", &self.cache_url);
            set("SOUK_SECRETS__SERVICE_TOKEN", "t0k3n-of-the-proving-house-0123456789abcdef");
            // 32 bytes, base64url
            set("SOUK_SECRETS__SIGNING_KEY", "cHJvdmVwcm92ZXByb3ZlcHJvdmVwcm92ZXByb3ZlcHI");
        }
        env
    }
}

impl House {
    /// All services in one process.
    pub(crate) async fn whole(ground: Ground) -> Self {
        let (mut house, port) = Self::plan(&ground);
        let mut env = ground.env();
        let operator = format!("127.0.0.1:{}", free_port());
        env.push(("SOUK_GATEWAY__OPERATOR_LISTEN".to_owned(), operator));
        let arguments = house.arguments(&["--listen", &format!("127.0.0.1:{port}")]);
        house.members.push(Member { name: WHOLE, arguments, env, process: None });
        house.open().await
    }

    /// A process for each service.
    pub(crate) async fn split(ground: Ground) -> Self {
        let (mut house, port) = Self::plan(&ground);
        let ports: Vec<u16> = SERVICES.iter().map(|_| free_port()).collect();
        for (name, grpc) in SERVICES.into_iter().zip(&ports) {
            let mut env = ground.env();
            let mut set = |name: String, value: String| env.push((name, value));
            set("SOUK_GRPC__LISTEN".to_owned(), format!("127.0.0.1:{grpc}"));
            let operator = format!("127.0.0.1:{}", free_port());
            set("SOUK_GATEWAY__OPERATOR_LISTEN".to_owned(), operator);
            for (neighbour, port) in SERVICES.into_iter().zip(&ports) {
                if neighbour != name {
                    let upper = neighbour.to_uppercase();
                    let url = format!("http://127.0.0.1:{port}");
                    set(format!("SOUK_SERVICES__{upper}__URL"), url);
                }
            }
            let listen = format!("127.0.0.1:{port}");
            let arguments = house.arguments(&["--listen", &listen, "--only", name]);
            house.members.push(Member { name, arguments, env, process: None });
        }
        house.open().await
    }

    fn plan(ground: &Ground) -> (Self, u16) {
        let port = free_port();
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        let dir = tempfile::tempdir().unwrap();
        let bus_url = ground.bus_url.clone();
        (Self { client, bus_url, dir, members: Vec::new() }, port)
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let data = self.data().display().to_string();
        let mut arguments = vec!["serve".to_owned(), "--data-dir".to_owned(), data];
        arguments.push("--empty".to_owned());
        arguments.extend(more.iter().map(|&word| word.to_owned()));
        arguments
    }

    async fn open(mut self) -> Self {
        self.start_missing();
        self.ready().await;
        self
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What a command beside the shop needs to find its data.
    pub(crate) fn operator_env(&self) -> Vec<(String, String)> {
        let gateway =
            |name: &str| name.starts_with("SOUK_GATEWAY__") || name.starts_with("SOUK_GRPC");
        let env = self.members.first().map(|member| member.env.clone()).unwrap_or_default();
        env.into_iter().filter(|(name, _)| !gateway(name)).collect()
    }

    /// Every process that was started lives.
    pub(crate) fn must_live(&mut self) {
        self.members.iter_mut().filter_map(|m| m.process.as_mut()).for_each(Process::must_live);
    }

    /// Names of the processes.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.members.iter().map(|member| member.name).collect()
    }

    /// Starts a process that is not there; `crash` is a crash point, as `relay.sending:3`.
    pub(crate) fn start(&mut self, name: &str, crash: Option<&str>) {
        let log = self.dir.path().join(format!("{name}.log"));
        let dir = self.dir.path().to_owned();
        let member = self.member(name);
        assert!(member.process.is_none(), "{name} is there");
        let mut command = tied(Path::new(env!("CARGO_BIN_EXE_souk")));
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("SOUK_") {
                command.env_remove(key);
            }
        }
        // away from any souk.toml of the developer
        command.args(&member.arguments).envs(member.env.iter().cloned()).current_dir(dir);
        if let Some(point) = crash {
            command.env("SOUK_CRASH_AT", point);
        }
        member.process = Some(Process::start(member.name, command, &log));
    }

    /// Starts everything that is not there.
    pub(crate) fn start_missing(&mut self) {
        for name in self.names() {
            if self.member(name).process.is_none() {
                self.start(name, None);
            }
        }
    }

    /// Kill -9 from outside; answers when the process was gone.
    pub(crate) async fn kill(&mut self, name: &str) -> Instant {
        match self.member(name).process.take() {
            Some(mut process) => process.kill().await,
            None => Instant::now(),
        }
    }

    /// Waits until the process has killed itself at its crash point.
    pub(crate) async fn died(&mut self, name: &str) -> Instant {
        use std::os::unix::process::ExitStatusExt;
        let mut process = self.member(name).process.take().unwrap();
        let (status, at) = process.ended(Duration::from_secs(90)).await;
        let words = process.last_lines();
        assert_eq!(status.signal(), Some(9), "{name} ended by itself ({status})\n{words}");
        at
    }

    pub(crate) fn term(&mut self, name: &str) {
        self.member(name).process.as_ref().unwrap().signal(Signal::TERM);
    }

    /// Waits for the end of a process that was told to stop; answers its exit code.
    pub(crate) async fn stopped(&mut self, name: &str, patience: Duration) -> Option<i32> {
        let mut process = self.member(name).process.take().unwrap();
        let (status, _) = process.ended(patience).await;
        let words = process.last_lines();
        assert!(status.code().is_some(), "{name} was killed\n{words}");
        if !status.success() {
            eprintln!("{name} ended with {status}\n{words}");
        }
        status.code()
    }

    /// Waits until every service answers.
    pub(crate) async fn ready(&mut self) {
        let client = self.client.clone();
        let ready = until(Duration::from_secs(90), async || {
            for process in self.members.iter_mut().filter_map(|member| member.process.as_mut()) {
                process.must_live();
            }
            client.all_answer().await
        });
        if !ready.await {
            let mut words = String::new();
            for process in self.members.iter().filter_map(|m| m.process.as_ref()) {
                words = format!("{words}\n{}", process.last_lines());
            }
            panic!("the shop is not ready{words}");
        }
    }

    fn member(&mut self, name: &str) -> &mut Member {
        let found = self.members.iter_mut().find(|member| member.name == name);
        found.unwrap_or_else(|| panic!("{name} is no process of this house"))
    }
}

/// Where a server is that `cargo xtask test` started.
pub(crate) fn server(name: &str) -> String {
    let told = std::env::var_os(name)
        .unwrap_or_else(|| panic!("{name} is not set: start with `cargo xtask test`"));
    told.into_string().unwrap()
}
