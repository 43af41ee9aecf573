//! `cargo xtask bench`: speed and size of the release build, beside a bare axum handler.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::dev;
use crate::process;
use crate::servers::Servers;
use crate::workspace::{cargo, root, target};

#[derive(Args)]
pub(crate) struct Options {
    /// Write the figures to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// 2 s instead of 8 s for each measurement: for a look, not for a record
    #[arg(long)]
    quick: bool,
    /// Only `default` or only `production` back ends
    #[arg(long, value_name = "BACK ENDS")]
    only: Option<String>,
    /// Only this part: `starts`, `reads`, `buying`, `overload`, `logins` or `import`
    #[arg(long, value_name = "PART")]
    part: Option<String>,
}

/// `cargo xtask bench`
pub(crate) fn run(options: &Options) -> Result<()> {
    let build = ["build", "--release", "--package", "souk-souk", "--package", "souk-bench"];
    process::run(cargo().args(build))?;

    let data = target().join("bench");
    fs::create_dir_all(&data)?;
    let mut bench = Command::new(target().join("release/souk-bench"));
    bench.arg("--souk").arg(target().join("release/souk")).arg("--dir").arg(&data);
    // Figures without a commit prove nothing.
    bench.args(["--commit", &commit()]);
    if let Some(file) = &options.json {
        bench.arg("--json").arg(file);
    }
    if options.quick {
        bench.arg("--quick");
    }
    if let Some(only) = &options.only {
        bench.args(["--only", only]);
    }
    if let Some(part) = &options.part {
        bench.args(["--part", part]);
    }
    if options.only.as_deref() == Some("default") {
        return process::run(&mut bench);
    }

    let servers = Servers::start()?;
    let postgres = servers.postgres();
    for service in dev::services() {
        dev::create_database(postgres, &format!("souk_bench_{service}"))?;
    }
    bench.env("SOUK_BENCH_DATABASE_URL", postgres.url("souk_bench_{service}"));
    bench.env("SOUK_BENCH_SERVERS_PID", servers.pid().to_string());
    bench.envs(servers.env().iter().cloned());
    process::run(&mut bench)
}

fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"]).current_dir(root());
    let told = process::output(&mut git);
    told.map_or_else(|_| "unknown".to_owned(), |told| told.trim().to_owned())
}
