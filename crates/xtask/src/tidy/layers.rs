//! Which crate may know which: the arrows of ARCHITECTURE as a table.

use toml::Table;

use super::Finding;
use super::manifests::{self, Kind};
use super::tree::Tree;

/// Crates with a room plan. None of them knows another; they share contracts and events.
pub(crate) const SERVICES: [&str; 6] =
    ["accounts", "analytics", "catalog", "gateway", "notifier", "orders"];

/// What every service may stand on.
const FOUNDATION: [&str; 12] = [
    "audit",
    "auth",
    "cache",
    "events",
    "jobs",
    "pictures",
    "proto",
    "rpc",
    "service",
    "storage",
    "telemetry",
    "values",
];

/// The crates below the services, each with what it may stand on.
const SHARED: [(&str, &[&str]); 12] = [
    ("values", &[]),
    ("pictures", &[]),
    ("proto", &[]),
    ("telemetry", &[]),
    ("storage", &["values", "telemetry"]),
    ("cache", &["telemetry"]),
    ("auth", &["values"]),
    ("rpc", &["auth", "telemetry", "values"]),
    ("events", &["storage", "proto", "telemetry", "values"]),
    ("jobs", &["storage", "telemetry", "values"]),
    ("audit", &["auth", "rpc", "storage", "telemetry", "values"]),
    (
        "service",
        &[
            "audit",
            "auth",
            "cache",
            "events",
            "jobs",
            "proto",
            "rpc",
            "storage",
            "telemetry",
            "values",
        ],
    ),
];

/// Whether a crate may depend on another of ours, or that it has no row in the table.
fn allows(from: &str, to: &str) -> Option<bool> {
    if SERVICES.contains(&from) {
        return Some(FOUNDATION.contains(&to));
    }
    match from {
        // The assembly knows everybody; tests and tools are not part of it.
        "souk" => Some(SERVICES.contains(&to) || FOUNDATION.contains(&to)),
        "testkit" | "fuzz" => Some(SERVICES.contains(&to) || FOUNDATION.contains(&to)),
        // The bench meets Souk as its users do: as a program.
        "xtask" | "bench" => Some(false),
        _ => {
            let row = SHARED.iter().find(|(name, _)| *name == from);
            row.map(|(_, below)| below.contains(&to))
        }
    }
}

/// Tests may stand on more: the test kit, and for the assembly's journeys anything.
fn allows_in_tests(from: &str, to: &str) -> bool {
    match from {
        "souk" => to != "xtask",
        "xtask" => false,
        // a service may be tried with its real neighbours
        _ if SERVICES.contains(&from) && SERVICES.contains(&to) => true,
        // contracts give a crate below them something real to carry
        _ => to == "testkit" || to == "proto",
    }
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().flat_map(|name| check_crate(tree, name)).collect()
}

fn check_crate(tree: &Tree, from: &str) -> Vec<Finding> {
    let path = format!("crates/{from}/Cargo.toml");
    let Some(text) = tree.text(&path) else { return Vec::new() };
    let Ok(manifest) = text.parse::<Table>() else {
        return vec![Finding::new(path, 0, "manifest", "this is not TOML")];
    };
    let mut findings = Vec::new();
    if allows(from, from).is_none() {
        let sentence = "a new crate needs a row in crates/xtask/src/tidy/layers.rs: its place in \
                        the house is a decision";
        findings.push(Finding::new(&path, 0, "layers", sentence));
    }
    for dependency in manifests::dependencies(&manifest) {
        let Some(to) = dependency.name.strip_prefix("souk-") else { continue };
        let allowed = allows(from, to).unwrap_or(true)
            || dependency.kind == Kind::Dev && allows_in_tests(from, to);
        if !allowed {
            let line = manifests::line_of(text, &dependency);
            let sentence = format!("`{from}` may not know `{to}`: {}", reason(from, to));
            findings.push(Finding::new(&path, line, "layers", sentence));
        }
    }
    findings
}

fn reason(from: &str, to: &str) -> &'static str {
    if SERVICES.contains(&from) && SERVICES.contains(&to) {
        "services share contracts and events, never code of one another"
    } else if to == "testkit" {
        "the test kit is for tests only, so it belongs to [dev-dependencies]"
    } else if from == "xtask" {
        "the tools must build in seconds and while everything else is broken"
    } else {
        "arrows point down the layers, so that a lower crate never changes for a higher one"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    fn refused(name: &str, manifest: &str) -> Vec<String> {
        places(&check(&Tree::planted(&[(&format!("crates/{name}/Cargo.toml"), manifest)])))
    }

    #[test]
    fn a_service_may_not_know_another() {
        let manifest = "[package]\nname = \"souk-catalog\"\n\n[dependencies]\nsouk-values.workspace = true\nsouk-accounts.workspace = true\n";
        assert_eq!(refused("catalog", manifest), ["crates/catalog/Cargo.toml:6:layers"]);
    }

    #[test]
    fn arrows_point_down_in_every_section() {
        let manifest = "[dependencies]\nsouk-values = { workspace = true }\n[target.'cfg(unix)'.dependencies]\nsouk-rpc.workspace = true\n[build-dependencies]\nsouk-service.workspace = true\n";
        assert_eq!(
            refused("storage", manifest),
            ["crates/storage/Cargo.toml:4:layers", "crates/storage/Cargo.toml:6:layers"]
        );
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        let dev = "[dev-dependencies]\nsouk-testkit.workspace = true\n";
        assert_eq!(refused("catalog", dev), Vec::<String>::new());
        let product = "[dependencies]\nsouk-testkit.workspace = true\n";
        assert_eq!(refused("catalog", product), ["crates/catalog/Cargo.toml:2:layers"]);
        assert_eq!(refused("souk", product), ["crates/souk/Cargo.toml:2:layers"]);
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(
            refused("helpdesk", "[dependencies]\n"),
            ["crates/helpdesk/Cargo.toml:0:layers"]
        );
    }

    #[test]
    fn the_table_has_no_cycle() {
        for (from, below) in SHARED {
            let place = |name: &str| SHARED.iter().position(|(row, _)| *row == name);
            for to in below {
                assert!(place(to) < place(from), "{from} stands on {to}, which comes later");
            }
        }
    }
}
