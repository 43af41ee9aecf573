//! The one front door for developers: every check, test and tool is a word of `cargo xtask`.
//! Continuous integration calls the same words, so nothing works only there.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people: the terminal is its output"
)]

mod bench;
mod check;
mod dev;
mod fuzz_api;
mod http;
mod process;
mod prove;
mod servers;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Check, test, run and prove Souk",
    disable_version_flag = true
)]
struct Cli {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Everything that continuous integration runs: fmt, tidy, deny, clippy, test
    ///
    /// Stops at the first failure with a sentence.
    Check,
    /// Run the tests against private PostgreSQL, RabbitMQ and Redis servers
    ///
    /// Installs missing servers on Debian and Ubuntu when run as root, starts private instances
    /// on free ports, runs `cargo test`, stops the servers. Fails when no test ran.
    Test(test::Options),
    /// The rules of the house: arrows between crates and rooms, dead files, names, documents
    Tidy,
    /// Start private PostgreSQL, RabbitMQ and Redis servers and keep them until Ctrl-C
    ///
    /// Prints the environment as `export` lines on standard output, so that single tests can be
    /// run from another terminal with plain `cargo test`.
    Servers,
    /// Run `souk serve` on private PostgreSQL, RabbitMQ and Redis servers
    Dev(dev::Options),
    /// Throw generated requests at the whole API and hold the answers against its document
    FuzzApi(fuzz_api::Options),
    /// Run the proofs: journeys repeated under faults, with the counts printed
    Prove(prove::Options),
    /// Measure speed and size beside a bare axum handler, in one run on this machine
    ///
    /// Prints each figure with its ratio and its target, on the default back ends and on
    /// PostgreSQL, RabbitMQ and Redis.
    Bench(bench::Options),
    /// The process that owns the servers; started by the other words, never by hand
    #[command(hide = true)]
    KeepServers,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().word {
        Word::Check => check::run(),
        Word::Test(options) => test::run(&options),
        Word::Tidy => tidy::run(),
        Word::Servers => servers::run(),
        Word::Dev(options) => dev::run(&options),
        Word::FuzzApi(options) => fuzz_api::run(&options),
        Word::Prove(options) => prove::run(&options),
        Word::Bench(options) => bench::run(&options),
        Word::KeepServers => servers::keeper::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
