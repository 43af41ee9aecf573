//! `cargo xtask fuzz-api`: schemathesis reads the API document and tries to prove it wrong.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;

use crate::http;
use crate::process;
use crate::servers;
use crate::workspace::{cargo, on_path, target};

/// One version for everybody, so that a red run is about our API and not about a new check.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What needs no oracle: whether the answers are those that the document promises.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";

#[derive(Args)]
pub(crate) struct Options {
    /// Requests to try per operation
    #[arg(long, default_value_t = 50)]
    examples: u32,
    /// Start the release build instead of the development build
    #[arg(long)]
    release: bool,
    /// Try a Souk that runs already, as the admin of SOUK_ADMIN_EMAIL and SOUK_ADMIN_PASSWORD
    #[arg(long, value_name = "URL", requires_all = ["email", "password"])]
    url: Option<String>,
    #[arg(long, env = "SOUK_ADMIN_EMAIL", hide = true)]
    email: Option<String>,
    #[arg(long, env = "SOUK_ADMIN_PASSWORD", hide = true, hide_env_values = true)]
    password: Option<String>,
    /// Give up after this many minutes
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Repeat a run: the seed that it printed
    #[arg(long)]
    seed: Option<u64>,
}

/// `cargo xtask fuzz-api`
pub(crate) fn run(options: &Options) -> Result<()> {
    let home = target().join("fuzz-api");
    fs::create_dir_all(&home)?;
    let schemathesis = schemathesis(&home)?;
    let account = |told: &Option<String>, ours: &str| told.clone().unwrap_or_else(|| ours.into());
    let (souk, address, email, password) = match &options.url {
        Some(url) => {
            let address = url.trim_end_matches('/').to_owned();
            (None, address, account(&options.email, ""), account(&options.password, ""))
        }
        None => {
            let (email, password) = ("admin@souk.local".to_owned(), servers::random_word()?);
            let [port] = servers::free_ports()?;
            let souk = start_souk(&home, options.release, port, &email, &password)?;
            (Some(souk), format!("http://127.0.0.1:{port}"), email, password)
        }
    };
    let login = home.join("login.json");
    write_login(&login, &email, &password)?;

    let mut fuzz = Command::new(schemathesis);
    fuzz.current_dir(&home).arg("run").arg(format!("{address}/api/openapi.json"));
    fuzz.args(["--origin", &address, "--checks", CHECKS, "--report", "junit"]);
    fuzz.args(["--max-examples", &options.examples.to_string(), "--request-timeout", "15"]);
    // How hard a schema is to generate for is no fault of the API.
    fuzz.args(["--suppress-health-check", "all"]);
    // It would end the session that everything else needs, and the rest would answer 401.
    fuzz.args(["--exclude-path-regex", "/auth/logout$"]);
    if let Some(seed) = options.seed {
        fuzz.args(["--seed", &seed.to_string()]);
    }
    let fuzz = fuzz.arg("--auth-wfc").arg(&login);
    let outcome = bounded(fuzz, Duration::from_secs(options.minutes * 60));
    if let Some(mut souk) = souk {
        let ended = souk.ended();
        souk.stop(Signal::TERM, Duration::from_secs(20));
        if let Some(status) = ended {
            bail!("souk ended under the requests ({status})\n{}", souk.last_lines());
        }
    }
    outcome
}

/// The program, installed in an environment of its own below `target`.
fn schemathesis(home: &Path) -> Result<PathBuf> {
    let environment = home.join("venv");
    let program = environment.join("bin/schemathesis");
    let wanted = SCHEMATHESIS.replace("==", ", version ");
    let there = process::output(Command::new(&program).arg("--version"))
        .is_ok_and(|told| told.ends_with(&format!("{}\n", &SCHEMATHESIS["schemathesis==".len()..])));
    if there {
        return Ok(program);
    }
    eprintln!("xtask: installing {wanted}");
    let make = || {
        let mut make = Command::new("python3");
        process::output(make.args(["-m", "venv", "--clear"]).arg(&environment))
    };
    if on_path("python3").is_none() || make().is_err() {
        servers::install(&["python3-venv"])?;
        make()?;
    }
    let mut pip = Command::new(environment.join("bin/pip"));
    process::run(pip.args(["install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]))?;
    Ok(program)
}
