//! `cargo xtask fuzz-api`: schemathesis reads the API document and tries to prove it wrong.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::process::Signal;
use serde_json::json;

use crate::http;
use crate::process::{self, Process};
use crate::servers;
use crate::workspace::{cargo, target};

/// One version for everybody, so that a red run is about our API and not about a new check.
const SCHEMATHESIS: &str = "4.32.5";

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
    seed: Option<u128>,
}

/// `cargo xtask fuzz-api`
pub(crate) fn run(options: &Options) -> Result<()> {
    let home = target().join("fuzz-api");
    fs::create_dir_all(&home)?;
    let schemathesis = schemathesis(&home)?;
    let (souk, address, email, password) = match (&options.url, &options.email, &options.password) {
        (Some(url), Some(email), Some(password)) => {
            (None, url.trim_end_matches('/').to_owned(), email.clone(), password.clone())
        }
        _ => {
            let (email, password) = ("admin@souk.local".to_owned(), servers::ports::word()?);
            let [port] = servers::ports::free()?;
            let souk = start_souk(&home, options.release, port, &email, &password)?;
            (Some(souk), format!("http://127.0.0.1:{port}"), email, password)
        }
    };
    let login = home.join("login.json");
    write_login(&login, &email, &password)?;

    let mut fuzz = Command::new(schemathesis);
    fuzz.current_dir(&home).arg("run").arg(format!("{address}/api/openapi.json"));
    fuzz.args(["--origin", &address, "--checks", CHECKS]);
    // the stateful phase works on links between operations, and the document states none
    fuzz.args(["--phases", "examples,coverage,fuzzing"]);
    fuzz.args(["--report-junit-path", "report.xml"]);
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
    // "schemathesis, version 4.32.5"
    let told = process::output(Command::new(&program).arg("--version"));
    if told.is_ok_and(|told| told.trim().rsplit(' ').next() == Some(SCHEMATHESIS)) {
        return Ok(program);
    }
    let wanted = format!("schemathesis=={SCHEMATHESIS}");
    eprintln!("xtask: installing {wanted} below {}", environment.display());
    let make = || {
        let mut make = Command::new("python3");
        process::output(make.args(["-m", "venv", "--clear"]).arg(&environment))
    };
    // Debian's Python comes without `venv`.
    if make().is_err() {
        servers::install(&["python3-venv"])?;
        make()?;
    }
    let mut pip = Command::new(environment.join("bin/pip"));
    process::run(pip.args(["install", "--quiet", "--disable-pip-version-check", &wanted]))?;
    Ok(program)
}

/// Souk on its default back ends with the demo shop, ready for requests.
fn start_souk(
    home: &Path,
    release: bool,
    port: u16,
    email: &str,
    password: &str,
) -> Result<Process> {
    let mut build = cargo();
    build.args(["build", "--bin", "souk"]);
    if release {
        build.arg("--release");
    }
    process::run(&mut build)?;

    let data = home.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir(&data)?;
    let address = format!("127.0.0.1:{port}");
    let program = target().join(if release { "release" } else { "debug" }).join("souk");
    let mut serve = process::tied(&program, "TERM", &[]);
    serve.current_dir(home).args(["serve", "--listen", &address, "--data-dir"]).arg(&data);
    serve.env("SOUK_ADMIN_EMAIL", email).env("SOUK_ADMIN_PASSWORD", password);
    serve.env("SOUK_GATEWAY__RATE_LIMIT__ENABLED", "false");
    let mut souk = Process::start("souk", serve, home.join("souk.log"))?;
    souk.wait_until(Duration::from_secs(120), || {
        http::status(&address, "/readyz").is_ok_and(|status| status == 200)
    })?;
    Ok(souk)
}

/// How schemathesis logs in. It does so anew every five minutes, because a token lives for ten.
fn write_login(path: &Path, email: &str, password: &str) -> Result<()> {
    let login = json!({"auth": [{
        "name": "admin",
        "loginEndpointAuth": {
            "endpoint": "/api/auth/login",
            "verb": "POST",
            "contentType": "application/json",
            "payloadUserPwd": {
                "username": email,
                "usernameField": "email",
                "password": password,
                "passwordField": "password",
            },
            "token": {
                "extractFrom": "body",
                "extractSelector": "/access_token",
                "sendIn": "header",
                "sendName": "Authorization",
                "sendTemplate": "Bearer {token}",
            },
        },
    }]});
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(login.to_string().as_bytes())?)
}

/// Runs the command, and kills it when the time is up: no finding is then no proof.
fn bounded(command: &mut Command, patience: Duration) -> Result<()> {
    let start = Instant::now();
    let mut child = command.spawn().context("cannot start schemathesis")?;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("schemathesis has findings ({status})"),
            None if start.elapsed() > patience => {
                child.kill()?;
                child.wait()?;
                bail!("not done in {patience:?}: try fewer --examples or more --minutes");
            }
            None => thread::sleep(Duration::from_millis(200)),
        }
    }
}
