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
/// Processes of a house with several doors; the first is one of [`SERVICES`].
const GATEWAYS: [&str; 3] = ["gateway", "gateway-2", "gateway-3"];

/// A shop whose processes die as told.
pub(crate) struct House {
    pub(crate) client: Client,
    /// One of each gateway; the first is `client`.
    pub(crate) doors: Vec<Client>,
    pub(crate) bus_url: String,
    /// With `{service}`; empty: files.
    pub(crate) database_url: String,
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

    /// With another Redis, which may be killed.
    pub(crate) fn on_cache(mut self, url: &str) -> Self {
        url.clone_into(&mut self.cache_url);
        self
    }

    /// With one more setting, by its variable; it goes before those of every house.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn env(&self) -> Vec<(String, String)> {
        let mut env = Vec::new();
        let mut set = |name: &str, value: &str| env.push((name.to_owned(), value.to_owned()));
        set("SOUK_ADMIN_EMAIL", ADMIN);
        set("SOUK_ADMIN_PASSWORD", PASSWORD);
        // A proof asks as a crowd does, from one address: neither the limits of addresses, accounts
        // and expensive routes may answer in place of what is proven, nor the count of failed logins
        // of a network, which rests with them. A proof about limits turns them on.
        set("SOUK_GATEWAY__RATE_LIMIT__ENABLED", "false");
        // Under load the gateway sheds down to a sixteenth of this: still more than any crowd here,
        // so that a 503 means that something was away, not that a thousand came at once.
        set("SOUK_GATEWAY__MAX_IN_FLIGHT", "100000");
        // The desk logs in again and again, from several clients: none of its sessions may end for
        // another one.
        set("SOUK_ACCOUNTS__MAX_DEVICES", "50");
        set("SOUK_LOG__LEVEL", "info");
        // one letter a change, so that letters can be counted
        set("SOUK_NOTIFIER__DIGEST__THRESHOLD", "1000");
        set("SOUK_NOTIFIER__DIGEST__WINDOW", "1s");
        if !self.database_url.is_empty() {
            set("SOUK_DATABASE__URL", &self.database_url);
            set("SOUK_DATABASE__MAX_CONNECTIONS", "6");
            set("SOUK_ACCOUNTS__ADMIN_SECOND_FACTOR", "off");
            set("SOUK_BUS__URL", &self.bus_url);
            set("SOUK_CACHE__URL", &self.cache_url);
            set("SOUK_SECRETS__SERVICE_TOKEN", "t0k3n-of-the-proving-house-0123456789abcdef");
            // 32 bytes, base64url
            set("SOUK_SECRETS__SIGNING_KEY", "cHJvdmVwcm92ZXByb3ZlcHJvdmVwcm92ZXByb3ZlcHI");
        }
        env.extend(self.env.iter().cloned());
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
        Self::with_gateways(ground, 1).await
    }

    /// A process for each service, and that many gateways.
    pub(crate) async fn with_gateways(ground: Ground, gateways: usize) -> Self {
        let (mut house, port) = Self::plan(&ground);
        let ports: Vec<u16> = SERVICES.iter().map(|_| free_port()).collect();
        for (name, grpc) in SERVICES.into_iter().zip(&ports) {
            house.member_of(&ground, name, name, port, *grpc, &ports);
        }
        for name in GATEWAYS.into_iter().take(gateways).skip(1) {
            let (port, grpc) = (free_port(), free_port());
            house.member_of(&ground, name, "gateway", port, grpc, &ports);
            house.doors.push(house.client.at(&format!("http://127.0.0.1:{port}")));
        }
        house.open().await
    }

    /// Plans one process: `ports` are where the services answer one another, by [`SERVICES`].
    fn member_of(
        &mut self,
        ground: &Ground,
        name: &'static str,
        service: &'static str,
        port: u16,
        grpc: u16,
        ports: &[u16],
    ) {
        let mut env = ground.env();
        let mut set = |name: String, value: String| env.push((name, value));
        set("SOUK_GRPC__LISTEN".to_owned(), format!("127.0.0.1:{grpc}"));
        let operator = format!("127.0.0.1:{}", free_port());
        set("SOUK_GATEWAY__OPERATOR_LISTEN".to_owned(), operator);
        for (neighbour, port) in SERVICES.into_iter().zip(ports) {
            if neighbour != service {
                let upper = neighbour.to_uppercase();
                let url = format!("http://127.0.0.1:{port}");
                set(format!("SOUK_SERVICES__{upper}__URL"), url);
            }
        }
        let listen = format!("127.0.0.1:{port}");
        let arguments = self.arguments(&["--listen", &listen, "--only", service]);
        self.members.push(Member { name, arguments, env, process: None });
    }

    fn plan(ground: &Ground) -> (Self, u16) {
        let port = free_port();
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        let house = Self {
            doors: vec![client.clone()],
            client,
            bus_url: ground.bus_url.clone(),
            database_url: ground.database_url.clone(),
            dir: tempfile::tempdir().unwrap(),
            members: Vec::new(),
        };
        (house, port)
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

    /// What the processes have said, beside the data.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        self.members.iter().map(|m| self.dir.path().join(format!("{}.log", m.name))).collect()
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
        let doors = self.doors.clone();
        let ready = until(Duration::from_secs(90), async || {
            for process in self.members.iter_mut().filter_map(|member| member.process.as_mut()) {
                process.must_live();
            }
            let mut all = true;
            for door in &doors {
                all &= door.all_answer().await;
            }
            all
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
