//! Other programs, and how they end.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A program that is killed with this value at the latest.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with its output appended to a log file.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap()));
        // an error means that it ended by itself meanwhile; whoever waits for its end sees how
        let _ = pid.map(|pid| kill_process(pid, signal));
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, patience: Duration) -> (ExitStatus, Instant) {
        let Ok(status) = tokio::time::timeout(patience, self.child.wait()).await else {
            panic!("{} did not end within {patience:?}\n{}", self.name, self.last_lines());
        };
        (status.unwrap(), Instant::now())
    }

    /// Kill -9; answers when it was gone.
    pub(crate) async fn kill(&mut self) -> Instant {
        self.signal(Signal::KILL);
        self.ended(Duration::from_secs(10)).await.1
    }

    /// A sentence with its last words when it has ended by itself.
    pub(crate) fn must_live(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} ended ({status})\n{}", self.name, self.last_lines());
        }
    }

    pub(crate) fn last_lines(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

/// A command whose program dies with us, however we end.
pub(crate) fn tied(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Waits for a condition.
pub(crate) async fn until(patience: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, waiting).await.is_ok()
}

/// A port that nobody has, below those that the system gives to outgoing connections, so that it
/// stays free while its process is dead.
pub(crate) fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 18_000 + (std::process::id() % 7_000) as u16;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 6_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
