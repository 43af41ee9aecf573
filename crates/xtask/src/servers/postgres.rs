//! A private PostgreSQL: durable as in production, loopback only, gone at the end.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::Postgres;
use super::keeper::Running;
use super::place::Place;
use super::ports;
use crate::process::Process;

pub(crate) fn start(place: &Place, bin: &Path) -> Result<(Running, Postgres)> {
    let [port] = ports::free()?;
    let password = ports::word()?;
    let dir = place.folder("postgres")?;
    let data = dir.join("data");
    let secret = dir.join("password");
    place.file(&secret, &password)?;

    let mut initdb = place.command(&bin.join("initdb"));
    initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(&secret);
    // `password` and not SCRAM: thousands of test connections need no 4,096 rounds of hashing
    // each in a debug build. The collation does not depend on the machine.
    initdb.args(["--username=souk", "--auth=password", "--encoding=UTF8", "--locale=C.UTF-8"]);
    let made = initdb.args(["--no-sync", "--no-instructions"]).stdin(Stdio::null()).output()?;
    if !made.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
    }

    let mut server = place.command(&bin.join("postgres"));
    server.arg("-D").arg(&data);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=on",
        "max_connections=400",
        "log_min_messages=warning",
        &format!("port={port}"),
    ] {
        server.arg("-c").arg(setting);
    }
    let mut process = Process::start("PostgreSQL", server, dir.join("log"))?;
    process.wait_until(Duration::from_secs(60), || {
        let mut ready = place.command(&bin.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-U", "souk", "-p", &port.to_string()]);
        ready.status().is_ok_and(|status| status.success())
    })?;

    let postgres = Postgres { bin: bin.to_owned(), port, password };
    let env = vec![
        ("SOUK_TEST_POSTGRES_URL".to_owned(), postgres.url("postgres")),
        ("SOUK_TEST_POSTGRES_BIN".to_owned(), bin.display().to_string()),
    ];
    // SIGINT is PostgreSQL's fast shutdown: open connections are cut.
    Ok((Running { processes: vec![(process, Signal::INT)], env }, postgres))
}
