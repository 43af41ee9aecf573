//! `cargo xtask test`: cargo's tests with private servers around them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process;
use crate::servers::Servers;
use crate::workspace::{cargo, package, root};

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Run only the tests whose name contains this
    filter: Option<String>,
    /// Test only this crate, named by its folder or its package (repeatable)
    #[arg(short, long = "package", value_name = "CRATE")]
    packages: Vec<String>,
    /// Refuse to change Cargo.lock
    #[arg(long)]
    locked: bool,
    /// Words for the test programs, as after `cargo test --`
    #[arg(last = true)]
    extra: Vec<String>,
}

impl Options {
    /// What continuous integration runs: everything, with the lock file as it stands.
    pub(crate) fn everything_locked() -> Self {
        Self { locked: true, ..Self::default() }
    }

    fn common(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.packages.is_empty() {
            words.push("--workspace".to_owned());
        }
        for name in &self.packages {
            words.extend(["--package".to_owned(), package(name)]);
        }
        if self.locked {
            words.push("--locked".to_owned());
        }
        words
    }
}

/// `cargo xtask test`
pub(crate) fn run(options: &Options) -> Result<()> {
    // Before the servers are up, so that they do not wait for the compiler. Cargo builds the programs that tests start
    // along with them; a build of their own would select other features and compile everything twice.
    process::run(cargo().args(["test", "--no-run"]).args(options.common()))?;

    let mut tests = cargo();
    tests.args(["test", "--no-fail-fast"]).args(options.common());
    tests.args(&options.filter).arg("--").args(&options.extra);
    with_servers(tests)
}

/// Runs `cargo test …` with the servers in its environment; zero tests are a failure. Its last
/// line is the sum of everything that ran.
pub(crate) fn with_servers(mut tests: Command) -> Result<()> {
    let servers = Servers::start()?;
    tests.envs(servers.env().iter().cloned()).envs(data());
    let mut child = tests
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", process::shown(&tests)))?;
    let mut sum = Sum::default();
    if let Some(stdout) = child.stdout.take() {
        sum.stream(BufReader::new(stdout))?;
    }
    let status = child.wait()?;
    drop(servers);

    println!("{} passed, {} failed", sum.passed, sum.failed);
    if sum.failed > 0 {
        bail!("{} of {} tests failed", sum.failed, sum.passed + sum.failed);
    }
    if !status.success() {
        bail!("{} failed ({status}) without naming a test", process::shown(&tests));
    }
    if sum.passed == 0 {
        bail!("no test ran, which is a failure: does the filter match any?");
    }
    Ok(())
}

/// Where the real catalogue data lies: `SOUK_TEST_DATA`, or beside the repository if it is there.
pub(crate) fn data() -> Option<(String, String)> {
    let told = std::env::var_os("SOUK_TEST_DATA").map(|dir| root().join(dir));
    let dir = told.unwrap_or_else(|| root().join("../shared/data")).canonicalize().ok()?;
    Some(("SOUK_TEST_DATA".to_owned(), dir.display().to_string()))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    passed: u64,
    failed: u64,
}

impl Sum {
    /// Passes every line on as it comes.
    fn stream(&mut self, mut lines: impl BufRead) -> Result<()> {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            self.add(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok(())
    }

    /// "test result: ok. 3 passed; 0 failed; …"
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_all_test_programs_are_added_up() {
        let output = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.10s
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
not a test result: ok. 7 passed; 7 failed
";
        let mut sum = Sum::default();
        output.lines().for_each(|line| sum.add(line));
        assert_eq!(sum, Sum { passed: 4, failed: 2 });
    }

    #[test]
    fn a_crate_may_be_called_by_its_folder() {
        let options = Options { packages: vec!["catalog".into()], ..Options::default() };
        assert_eq!(options.common(), ["--package", "souk-catalog"]);
    }
}
