//! `cargo xtask prove`: the proofs of `crates/souk/tests/prove`, in release mode.

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::test;
use crate::workspace::{cargo, root};

#[derive(Args)]
pub(crate) struct Options {
    /// The proof to run: kills, broker, stops, mail, poison, races, orders, invoices, people (or one
    /// of its promises: p33 to p40) or damage; all of them if none is named
    name: Option<String>,
    /// The full counts of the reliability promises instead of a short run
    #[arg(long)]
    full: bool,
}

/// `cargo xtask prove`
pub(crate) fn run(options: &Options) -> Result<()> {
    let prove = ["test", "--release", "--package", "souk-souk", "--test", "prove"];
    process::run(cargo().args(prove).arg("--no-run"))?;

    // The head of a table of evidence: figures without a commit and a date prove nothing.
    let mode = if options.full { "full" } else { "short" };
    let mut git = std::process::Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"]).current_dir(root());
    let commit = process::output(&mut git).unwrap_or_else(|_| "no commit".into());
    let date = chrono::Local::now().format("%Y-%m-%d %H:%M");
    println!("proofs ({mode} counts), commit {}, {date}", commit.trim());

    let mut proofs = cargo();
    proofs.args(prove).env("SOUK_PROVE", mode).arg("--no-fail-fast").arg("--");
    proofs.args(&options.name);
    // One at a time: a proof counts and kills, and may not share the machine with another.
    test::with_servers({
        proofs.args(["--nocapture", "--test-threads=1"]);
        proofs
    })
}
