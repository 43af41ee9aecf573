//! Which room of a crate may know what: the domain is pure, doors hold no queries, and the wire
//! format stays at the wire.

use toml::Table;

use super::Finding;
use super::layers::SERVICES;
use super::manifests;
use super::source::{Path, paths};
use super::tree::Tree;

/// Outside crates that the domain may use: values and their shape, no input, output or clock.
const PURE: [&str; 7] = ["std", "core", "alloc", "souk_values", "thiserror", "serde", "chrono"];

/// Rooms where requests, messages and timers come in.
const DOORS: [&str; 6] = ["grpc", "http", "api", "pages", "events", "jobs"];

/// Rooms of a service that speak the wire format, and its front door that mounts them.
const WIRE_ROOMS: [&str; 4] = ["grpc", "clients", "events", "lib"];

/// Crates that speak the wire format everywhere. `souk` assembles what the others mount.
const WIRE_CRATES: [&str; 7] = ["rpc", "proto", "service", "events", "gateway", "testkit", "souk"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        let Some(place) = Place::of(path) else { continue };
        let service = SERVICES.contains(&place.krate);
        let pure = service && place.room == "domain";
        let door = service && DOORS.contains(&place.room);
        let at_the_wire =
            WIRE_CRATES.contains(&place.krate) || service && WIRE_ROOMS.contains(&place.room);
        if !pure && !door && at_the_wire {
            continue;
        }
        let named = paths(&source.product_code());
        if pure {
            findings.extend(domain(tree, &place, path, &named));
        }
        if door {
            findings.extend(queries(&place, path, &named));
        }
        if !at_the_wire {
            findings.extend(wire(path, &named));
        }
    }
    findings
}

/// The crate and the room of a product file: `crates/catalog/src/grpc/product.rs`.
struct Place<'path> {
    krate: &'path str,
    room: &'path str,
}

impl<'path> Place<'path> {
    /// Nothing for tests: they may open every door.
    fn of(path: &'path str) -> Option<Self> {
        let (krate, inner) = path.strip_prefix("crates/")?.split_once("/src/")?;
        if inner.ends_with("/tests.rs") || inner.contains("/tests/") {
            return None;
        }
        let room = inner.split('/').next()?;
        Some(Self { krate, room: room.strip_suffix(".rs").unwrap_or(room) })
    }
}

fn domain(tree: &Tree, place: &Place<'_>, path: &str, named: &[Path]) -> Vec<Finding> {
    let manifest = tree.text(&format!("crates/{}/Cargo.toml", place.krate)).unwrap_or_default();
    let manifest: Table = manifest.parse().unwrap_or_default();
    let impure: Vec<String> = manifests::dependencies(&manifest)
        .iter()
        .map(|dependency| dependency.name.replace('-', "_"))
        .filter(|name| !PURE.contains(&name.as_str()))
        .collect();
    let mut findings = Vec::new();
    for named in named {
        let foreign = impure.iter().any(|name| name == named.root());
        // `super` of the domain's own file is the crate.
        let inside = path.contains("/domain/");
        let other_room = match (named.root(), named.segments().nth(1)) {
            ("crate", room) => room != Some("domain"),
            ("super", _) => !inside,
            _ => false,
        };
        if foreign || other_room {
            let sentence = format!(
                "`{}` in the domain: it is pure, so it uses std, souk_values, thiserror, serde \
                 and chrono only",
                named.text
            );
            findings.push(Finding::new(path, named.line, "pure domain", sentence));
        }
    }
    findings
}

fn queries(place: &Place<'_>, path: &str, named: &[Path]) -> Vec<Finding> {
    let queries = named.iter().filter(|named| named.root().starts_with("sea_orm"));
    let finding = |named: &Path| {
        let sentence = format!(
            "`{}` in the door `{}`: a door decodes, calls and encodes; queries live in `store`",
            named.text, place.room
        );
        Finding::new(path, named.line, "no queries in doors", sentence)
    };
    queries.map(finding).collect()
}

fn wire(path: &str, named: &[Path]) -> Vec<Finding> {
    let is_wire = |named: &&Path| {
        let root = named.root();
        ["tonic", "prost"].iter().any(|name| {
            root.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        })
    };
    let finding = |named: &Path| {
        let sentence = format!(
            "`{}` away from the wire: only grpc, clients, events and lib.rs of a service know \
             the format of messages",
            named.text
        );
        Finding::new(path, named.line, "wire at the wire", sentence)
    };
    named.iter().filter(is_wire).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    const MANIFEST: &str = "[dependencies]\nsea-orm.workspace = true\nsouk-values.workspace = true\ntokio.workspace = true\nserde_json.workspace = true\n";

    fn refused(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::planted(&[("crates/catalog/Cargo.toml", MANIFEST), (path, text)]);
        places(&check(&tree))
    }

    #[test]
    fn the_domain_is_pure() {
        let path = "crates/catalog/src/domain/product.rs";
        let pure = "//! x\nuse std::fmt;\nuse serde::Serialize;\nuse souk_values::Money;\nuse super::stock;\nuse crate::domain::price;\nuse Kind::Physical;\n";
        assert_eq!(refused(path, pure), Vec::<String>::new());
        let impure = "//! x\nuse sea_orm::DbErr;\nuse crate::store;\nfn f() {\n    tokio::spawn(g());\n    serde_json::json!({})\n}\n";
        let expected = [2, 3, 5, 6].map(|line| format!("{path}:{line}:pure domain"));
        assert_eq!(refused(path, impure), expected);
    }

    #[test]
    fn the_domains_own_file_does_not_climb_out() {
        let path = "crates/catalog/src/domain.rs";
        assert_eq!(refused(path, "//! x\nuse super::store;\n"), [format!("{path}:2:pure domain")]);
    }

    #[test]
    fn tests_of_the_domain_may_use_anything() {
        let inline = "//! x\n#[cfg(test)]\nmod tests {\n    use tokio::time;\n}\n";
        assert_eq!(refused("crates/catalog/src/domain/a.rs", inline), Vec::<String>::new());
        let file = "//! x\nuse tokio::time;\n";
        assert_eq!(refused("crates/catalog/src/domain/a/tests.rs", file), Vec::<String>::new());
    }

    #[test]
    fn a_door_holds_no_queries() {
        for door in ["grpc.rs", "grpc/product.rs", "events/closed.rs", "jobs/sweep.rs", "api/x.rs"]
        {
            let path = format!("crates/catalog/src/{door}");
            let text = "//! x\nfn f(db: &sea_orm::DatabaseConnection) {}\n";
            let expected = [format!("{path}:2:no queries in doors")];
            assert_eq!(refused(&path, text), expected);
        }
        let store = "//! x\nuse sea_orm::entity::prelude::*;\n";
        assert_eq!(refused("crates/catalog/src/store/product.rs", store), Vec::<String>::new());
    }

    #[test]
    fn the_wire_format_stays_at_the_wire() {
        let text = "//! x\nuse tonic_types::StatusExt;\nfn f() -> prost::bytes::Bytes {}\n";
        for path in ["crates/catalog/src/app/product.rs", "crates/values/src/money.rs"] {
            let expected = [2, 3].map(|line| format!("{path}:{line}:wire at the wire"));
            assert_eq!(refused(path, text), expected);
        }
        for path in
            ["crates/catalog/src/grpc/a.rs", "crates/rpc/src/a.rs", "crates/catalog/tests/it/a.rs"]
        {
            assert_eq!(refused(path, text), Vec::<String>::new());
        }
    }
}
