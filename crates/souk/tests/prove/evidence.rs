//! Tables for those who watch, and for the record.
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use souk_values::Clock;

use crate::amounts;

/// Prints a table; with `SOUK_EVIDENCE=1` a full one is also appended to `docs/evidence/<name>.md`.
pub(crate) fn show(name: &str, title: &str, table: impl Display) {
    println!("\n{title}\n\n{table}");
    let kept = std::env::var_os("SOUK_EVIDENCE").is_some_and(|value| value == "1");
    if !(kept && amounts::is_full()) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = root.join("docs/evidence");
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{name}.md"));
    let fresh = !path.exists();
    let mut file = File::options().create(true).append(true).open(&path).unwrap();
    if fresh {
        writeln!(file, "# {name}\n\nBy `cargo xtask prove {name} --full`.").unwrap();
    }
    let date = Clock::system().now().format("%Y-%m-%d %H:%M");
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let commit = commit(&root);
    write!(file, "\n## {title}\n\n{date} UTC, commit {commit}, {build} build\n\n{table}").unwrap();
}

fn commit(root: &Path) -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"]).current_dir(root);
    match git.output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}
