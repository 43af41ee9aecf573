//! Finding the programs of the servers, and installing them where that is ours to do.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::on_path;

/// Asked by Debian's packages before they start a service; 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str =
    "#!/bin/sh\n# souk xtask: installs servers without starting them\nexit 101\n";
/// The oldest PostgreSQL that we promise to work with.
const POSTGRES_SINCE: u32 = 15;

pub(crate) struct Binaries {
    pub(crate) postgres_bin: PathBuf,
    pub(crate) rabbitmq_server: PathBuf,
    pub(crate) epmd: PathBuf,
    pub(crate) redis_server: PathBuf,
}

/// The programs of the servers, installed first if they are missing and we may.
pub(crate) fn provide() -> Result<Binaries> {
    let missing = missing();
    if !missing.is_empty() {
        install(&missing)?;
    }
    Ok(Binaries {
        postgres_bin: postgres_bin()
            .with_context(|| format!("PostgreSQL {POSTGRES_SINCE} or newer is not installed"))?,
        rabbitmq_server: rabbitmq_server().context("RabbitMQ is not installed")?,
        epmd: epmd().context("Erlang's port mapper `epmd` is not installed")?,
        redis_server: on_path("redis-server").context("Redis is not installed")?,
    })
}

fn missing() -> Vec<&'static str> {
    let rabbitmq = rabbitmq_server().and(epmd());
    let wanted = [
        ("postgresql", postgres_bin().is_some()),
        ("rabbitmq-server", rabbitmq.is_some()),
        ("redis-server", on_path("redis-server").is_some()),
        ("python3-venv", makes_environments()),
    ];
    wanted.into_iter().filter(|(_, there)| !there).map(|(package, _)| package).collect()
}

/// Debian's Python comes without what makes environments.
fn makes_environments() -> bool {
    let python = on_path("python3").map(Command::new);
    python.is_some_and(|mut python| {
        let needed = python.args(["-c", "import venv, ensurepip"]).stdin(Stdio::null());
        needed.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// Installs Debian packages without letting them start anything, or says what a person has to
/// install.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let words = packages.join(" ");
    let Some(apt) = on_path("apt-get") else {
        bail!("missing, and this is no Debian or Ubuntu: install what corresponds to {words}");
    };
    if !rustix::process::geteuid().is_root() {
        bail!("missing; install with: sudo apt-get install --no-install-recommends {words}");
    }
    eprintln!("xtask: installing {words}");
    // Two of us at once would take away each other's policy.
    let queue = File::create("/run/lock/souk-xtask-install")
        .or_else(|_| File::create("/tmp/souk-xtask-install"))?;
    queue.lock()?;
    let _policy = Policy::forbid_services()?;
    let run = |words: &[&str]| {
        let mut command = Command::new(&apt);
        command.args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        // Our standard output is for the report, so its chatter joins the errors.
        process::run(command.stdin(Stdio::null()).stdout(std::io::stderr()))
    };
    run(&["update"])?;
    run(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

/// While it lives, packages do not start the services they bring.
struct Policy {
    ours: bool,
}

impl Policy {
    fn forbid_services() -> Result<Self> {
        let standing = fs::read_to_string(POLICY);
        // One of us that was killed may have left its own behind; a foreign one is respected.
        if standing.as_ref().is_ok_and(|text| text != POLICY_TEXT) {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, POLICY_TEXT).with_context(|| format!("cannot write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self { ours: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// The newest PostgreSQL: Debian keeps one folder per version off the search path.
fn postgres_bin() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            (version >= POSTGRES_SINCE).then(|| (version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let packaged = versions.into_iter().rev().map(|(_, bin)| bin);
    let linked = on_path("initdb").and_then(|program| program.canonicalize().ok());
    let linked = linked.and_then(|program| program.parent().map(Path::to_owned));
    packaged.chain(linked).find(|bin| {
        ["initdb", "postgres", "pg_isready", "createdb"].iter().all(|name| bin.join(name).exists())
    })
}

/// Debian's `rabbitmq-server` on the search path is a wrapper that changes the user; the script
/// behind it runs as whoever calls it.
fn rabbitmq_server() -> Option<PathBuf> {
    let script = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
    if script.exists() { Some(script) } else { on_path("rabbitmq-server") }
}

fn epmd() -> Option<PathBuf> {
    on_path("epmd").or_else(|| {
        let runtimes = fs::read_dir("/usr/lib/erlang").ok()?.flatten().map(|entry| entry.path());
        let is_runtime = |path: &PathBuf| {
            path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("erts-"))
        };
        runtimes.filter(is_runtime).map(|path| path.join("bin/epmd")).find(|path| path.exists())
    })
}
