//! The real program as a process of its own: started, asked, told to stop, killed, started again.
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::shop::{ADMIN_EMAIL, ADMIN_PASSWORD};
use crate::{Shop, Storehouse, eventually, free_address};

/// A debug build on a loaded machine.
const START: Duration = Duration::from_secs(180);

/// How to start the program; one plan may start it many times, always on the same ports and data.
#[derive(Clone)]
pub struct ProcessPlan {
    program: PathBuf,
    store: Arc<Storehouse>,
    env: BTreeMap<String, String>,
    arguments: Vec<String>,
    listen: SocketAddr,
    operator: SocketAddr,
}

/// A running program; killed when dropped.
pub struct Process {
    child: Child,
    plan: ProcessPlan,
}

/// What became of a command.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// `program`: `env!("CARGO_BIN_EXE_souk")`. Serves everything without the demo shop.
    pub fn plan(program: impl Into<PathBuf>, store: &Arc<Storehouse>) -> ProcessPlan {
        let plan = ProcessPlan {
            program: program.into(),
            store: store.clone(),
            env: BTreeMap::new(),
            arguments: vec!["serve".to_owned(), "--empty".to_owned()],
            listen: free_address(),
            operator: free_address(),
        };
        let (listen, operator) = (plan.listen, plan.operator);
        let mut plan = plan
            .env("SOUK_ADMIN_EMAIL", ADMIN_EMAIL)
            .env("SOUK_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .set("gateway.listen", listen)
            .set("gateway.operator_listen", operator);
        for (key, value) in store.settings() {
            plan = plan.set(key, value);
        }
        plan
    }

    /// Waits until it is ready; fails the test, with the end of its log, when it ends before.
    pub async fn wait_ready(&mut self) {
        let address = self.plan.listen;
        let url = format!("http://{address}/readyz");
        let http = crate::client::http();
        let started = Instant::now();
        loop {
            if let Ok(answer) = http.get(&url).send().await
                && answer.status().as_u16() == 200
            {
                return;
            }
            if let Some(status) = self.ended() {
                panic!("souk ended before it was ready ({status})\n{}", self.last_lines());
            }
            if started.elapsed() > START {
                panic!("souk is not ready after {START:?}\n{}", self.last_lines());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a process of ours can be killed");
    }

    /// SIGTERM; does not wait.
    pub fn signal_stop(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it still runs"), Signal::TERM).expect("a signal is sent");
    }

    /// SIGTERM, and waits; answers the exit status and how long it took.
    pub async fn terminate(&mut self, patience: Duration) -> (ExitStatus, Duration) {
        let started = Instant::now();
        self.signal_stop();
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => (status.expect("an exit status"), started.elapsed()),
            Err(_) => panic!("souk did not stop within {patience:?}\n{}", self.last_lines()),
        }
    }

    /// Waits until it ends by itself.
    pub async fn wait_end(&mut self, patience: Duration) -> ExitStatus {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => status.expect("an exit status"),
            Err(_) => panic!("souk did not end within {patience:?}\n{}", self.last_lines()),
        }
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// `None` when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub fn address(&self) -> SocketAddr {
        self.plan.listen
    }

    /// Where metrics answer.
    pub fn operator(&self) -> SocketAddr {
        self.plan.operator
    }

    /// The shop that this process keeps, for its verbs.
    pub fn shop(&self) -> Shop {
        self.plan.shop()
    }

    /// Everything that it, and those of the same plan before it, wrote.
    pub fn log(&self) -> String {
        self.plan.log()
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl ProcessPlan {
    /// A setting by its dotted name.
    #[must_use]
    pub fn set(self, key: &str, value: impl ToString) -> Self {
        let name = format!("SOUK_{}", key.to_uppercase().replace('.', "__"));
        self.env(&name, value)
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.insert(name.to_owned(), value.to_string());
        self
    }

    /// One more word for `souk serve`.
    #[must_use]
    pub fn argument(mut self, word: &str) -> Self {
        self.arguments.push(word.to_owned());
        self
    }

    /// Other words than `serve --empty`.
    #[must_use]
    pub fn arguments(mut self, words: &[&str]) -> Self {
        self.arguments = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub fn store(&self) -> &Arc<Storehouse> {
        &self.store
    }

    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// The shop at this plan's address, whichever process keeps it.
    pub fn shop(&self) -> Shop {
        Shop::at(&format!("http://{}", self.listen), ADMIN_EMAIL, ADMIN_PASSWORD)
    }

    /// Starts it and does not wait.
    pub fn start(&self) -> Process {
        let file = File::options().create(true).append(true).open(self.log_file());
        let file = file.expect("a log file");
        let child = self
            .command()
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", self.program.display()));
        Process { child, plan: self.clone() }
    }

    /// Starts it and waits until it is ready.
    pub async fn open(&self) -> Process {
        let mut process = self.start();
        process.wait_ready().await;
        process
    }

    /// Runs another command of the program over the same data and settings; `input` is its standard input.
    pub async fn run(&self, words: &[&str], input: &str) -> Ran {
        let mut child = self
            .command()
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", self.program.display()));
        if let Some(mut stdin) = child.stdin.take() {
            // a command that reads nothing has closed it
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = tokio::time::timeout(START * 2, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("souk {words:?} does not end"));
        let output = output.expect("output of a command");
        Ran {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Waits until the log holds the text.
    pub async fn wait_log(&self, text: &str, patience: Duration) {
        eventually(&format!("the log says {text:?}"), patience, || async {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.store.dir().join(format!("souk-{}.log", self.listen.port()))
    }

    /// Only our own settings: not those of whoever runs the tests.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SOUK_") {
                command.env_remove(name);
            }
        }
        command.envs(&self.env).current_dir(self.store.dir()).kill_on_drop(true);
        command
    }
}

impl Ran {
    /// Standard output of a command that went well; otherwise the test fails.
    pub fn well(self) -> String {
        assert!(self.status.success(), "souk failed ({}): {}", self.status, self.stderr);
        self.stdout
    }
}
