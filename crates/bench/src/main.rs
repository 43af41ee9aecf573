//! `souk-bench`: Souk's speed and size beside a bare axum handler, measured in one run on one
//! machine. `cargo xtask bench` builds what it needs and starts it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people: the terminal is its output"
)]

mod arrivals;
mod bare;
mod dice;
mod goods;
mod http;
mod load;
mod process;
mod report;
mod run;
mod series;
mod shop;
mod system;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::run::{Part, Plan, Servers};
use crate::shop::Backend;

/// The allocator that Souk uses, so that the bare handler has the same advantage.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "souk-bench",
    about = "Measures Souk beside a bare axum handler",
    disable_version_flag = true,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    word: Option<Word>,
}

#[derive(Subcommand)]
enum Word {
    /// The bare handler itself; started by the run, never by hand
    #[command(hide = true)]
    Bare(bare::Options),
}

#[derive(Args)]
struct Options {
    /// The release build of `souk`
    #[arg(long, default_value = "target/release/souk")]
    souk: PathBuf,
    /// Where data of the run lie for its time; on a real disk, for imports wait for it
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// 2 s instead of 8 s for each measurement: for a look, not for a record
    #[arg(long)]
    quick: bool,
    /// Only these back ends
    #[arg(long, value_name = "BACK END")]
    only: Option<Backend>,
    /// Only this part of the figures
    #[arg(long, value_name = "PART")]
    part: Option<Part>,
    /// What was built, for the record
    #[arg(long, default_value = "unknown")]
    commit: String,
    #[arg(long, env = "SOUK_BENCH_DATABASE_URL", hide = true, hide_env_values = true)]
    database: Option<String>,
    #[arg(long, env = "SOUK_TEST_RABBITMQ_URL", hide = true, hide_env_values = true)]
    rabbitmq: Option<String>,
    #[arg(long, env = "SOUK_TEST_REDIS_URL", hide = true, hide_env_values = true)]
    redis: Option<String>,
    /// The process whose descendants are the database, the broker and the cache
    #[arg(long, env = "SOUK_BENCH_SERVERS_PID", hide = true)]
    servers_pid: Option<u32>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.word {
        Some(Word::Bare(options)) => bare::serve(&options),
        None => measure(cli.options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("souk-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> Result<()> {
    let servers = match (options.database, options.rabbitmq, options.redis, options.servers_pid) {
        (Some(database), Some(rabbitmq), Some(redis), Some(pid)) => {
            Some(Servers { database, rabbitmq, redis, pid })
        }
        _ => None,
    };
    let Options { souk, dir, quick, only, part, .. } = options;
    let plan = Plan::new(souk, dir, quick, only, part, servers)?;
    let report = run::all(&plan, options.commit)?;
    println!("{report}");
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
