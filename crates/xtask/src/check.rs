//! `cargo xtask check`: what continuous integration runs, no more and no less.

mod deny;
mod licence;

use anyhow::{Context, Result};

use crate::process;
use crate::test;
use crate::tidy;
use crate::workspace::cargo;

type Step = (&'static str, fn() -> Result<()>);

/// Quick ones first: who waits for the compiler should not learn of a missing space.
const STEPS: [Step; 5] =
    [("fmt", fmt), ("tidy", tidy::run), ("deny", deny::run), ("clippy", clippy), ("test", tests)];

/// `cargo xtask check`
pub(crate) fn run() -> Result<()> {
    for (name, step) in STEPS {
        eprintln!("xtask: {name}");
        step().with_context(|| format!("the check stopped at `{name}`"))?;
    }
    Ok(())
}

fn fmt() -> Result<()> {
    process::run(cargo().args(["fmt", "--all", "--", "--check"]))
        .context("`cargo fmt --all` puts it right")
}

fn clippy() -> Result<()> {
    let words = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    process::run(cargo().args(words))
}

fn tests() -> Result<()> {
    test::run(&test::Options::everything_locked())
}
