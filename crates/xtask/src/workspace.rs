//! Where things lie: the root of the repository, its build folder, its crates.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository. Cargo rebuilds this crate when the folder moves, so the path that
/// was compiled in stays true.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The build folder of cargo.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that runs us, at the root of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // what cargo says to this program about this crate: build scripts that look at it (ring's) would
    // build again whatever a plain cargo has built, and the other way round
    for (name, _) in std::env::vars_os() {
        let about = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|start| about.starts_with(start))
        {
            command.env_remove(&name);
        }
    }
    command
}

/// The full package name of a crate that may be called by its folder: `catalog` is `souk-catalog`.
pub(crate) fn package(name: &str) -> String {
    if name.starts_with("souk-") { name.to_owned() } else { format!("souk-{name}") }
}

/// The first program of this name on the search path. A dangling link is no program; a good one is
/// not resolved, because some programs (Redis) look at the name they are called by.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|program| program.exists())
}
