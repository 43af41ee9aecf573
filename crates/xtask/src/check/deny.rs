//! Whether the crates of others fit `deny.toml`: their licences, their names, their origin.
//!
//! `cargo deny` does it where it is installed. Building it takes longer than all our tests, so
//! without it we read the same file and apply the same three lists ourselves.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::licence;
use crate::process;
use crate::workspace::{cargo, on_path, root};

pub(super) fn run() -> Result<()> {
    if on_path("cargo-deny").is_some() {
        let words = ["deny", "--offline", "--locked", "check", "licenses", "bans", "sources"];
        process::run(cargo().args(words))?;
    } else {
        let policy = fs::read_to_string(root().join("deny.toml")).context("deny.toml")?;
        let policy: Policy = toml::from_str(&policy).context("deny.toml is not as we know it")?;
        let packages = packages(&policy)?;
        if packages.is_empty() {
            bail!("cargo lists no crates, so nothing was checked");
        }
        let refusals: Vec<String> =
            packages.iter().flat_map(|package| policy.refusals(package)).collect();
        refusals.iter().for_each(|refusal| eprintln!("deny.toml: {refusal}"));
        if !refusals.is_empty() {
            bail!("deny.toml refuses {} things", refusals.len());
        }
        eprintln!("deny: licences, bans and sources of {} crates are as allowed", packages.len());
    }
    eprintln!("deny: SKIPPED advisories: they need a database from the network");
    Ok(())
}

/// The part of `deny.toml` that we apply. Unknown keys belong to `cargo deny`.
#[derive(Debug, Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    /// "deny": our manifests name versions.
    wildcards: String,
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// What `cargo metadata` tells of a package.
#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for our own crates, which lie in the repository.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// "^1.2", "*".
    req: String,
    /// Of our own crates, which need no version.
    path: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Every crate that one of our targets compiles.
fn packages(policy: &Policy) -> Result<Vec<Package>> {
    let mut used = BTreeSet::new();
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version=1", "--locked"]);
    for target in &policy.graph.targets {
        metadata.args(["--filter-platform", target]);
        // The metadata also lists crates that only a feature we leave off would bring.
        let mut tree = cargo();
        tree.args(["tree", "--workspace", "--locked", "--prefix=none", "--format={p}"]);
        let listed = process::output(tree.args(["--target", target]))?;
        used.extend(listed.lines().filter_map(name_and_version));
    }
    let metadata: Metadata = serde_json::from_str(&process::output(&mut metadata)?)?;
    let is_used =
        |package: &Package| used.contains(&(package.name.clone(), package.version.clone()));
    Ok(metadata.packages.into_iter().filter(is_used).collect())
}

/// "serde v1.0.228 (proc-macro)"
fn name_and_version(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

impl Policy {
    fn refusals(&self, package: &Package) -> Vec<String> {
        let name = format!("{} {}", package.name, package.version);
        let mut refusals = Vec::new();
        match package.license.as_deref().map(|told| licence::allowed(told, &self.licenses.allow)) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                let told = package.license.as_deref().unwrap_or_default();
                refusals.push(format!("{name} has the licence `{told}`, which is not allowed"));
            }
            Some(Err(error)) => refusals.push(format!("{name}: {error:#}")),
            None => refusals.push(format!("{name} names no licence")),
        }
        for ban in self.bans.deny.iter().filter(|ban| ban.name == package.name) {
            refusals.push(format!("{name} is banned: {}", ban.reason));
        }
        if package.source.is_none() && self.bans.wildcards == "deny" {
            let any = |needed: &&Dependency| needed.req == "*" && needed.path.is_none();
            for needed in package.dependencies.iter().filter(any) {
                refusals.push(format!("{name} takes any version of {}", needed.name));
            }
        }
        if let Some(source) = &package.source {
            let known = source
                .strip_prefix("registry+")
                .is_some_and(|url| self.sources.allow_registry.iter().any(|known| known == url));
            if !known {
                refusals.push(format!("{name} comes from {source}, not from the default registry"));
            }
        }
        refusals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let text = include_str!("../../../../deny.toml");
        toml::from_str(text).expect("deny.toml is as we know it")
    }

    fn package(license: Option<&str>, name: &str, source: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
            dependencies: Vec::new(),
        }
    }

    const REGISTRY: Option<&str> = Some("registry+https://github.com/rust-lang/crates.io-index");

    #[test]
    fn a_common_crate_passes() {
        let package = package(Some("MIT OR Apache-2.0"), "serde", REGISTRY);
        assert_eq!(policy().refusals(&package), Vec::<String>::new());
    }

    #[test]
    fn licence_name_and_origin_are_each_refused() {
        for (license, name, source, word) in [
            (Some("AGPL-3.0-only"), "x", REGISTRY, "licence"),
            (None, "x", REGISTRY, "no licence"),
            (Some("MIT OR"), "x", REGISTRY, "licence expression"),
            (Some("MIT"), "openssl-sys", REGISTRY, "banned"),
            (Some("MIT"), "x", Some("git+https://example.org/x"), "comes from"),
            (Some("MIT"), "x", Some("registry+https://example.org/index"), "comes from"),
        ] {
            let refusals = policy().refusals(&package(license, name, source));
            assert_eq!(refusals.len(), 1, "{refusals:?}");
            assert!(refusals[0].contains(word), "{word}: {refusals:?}");
        }
    }

    #[test]
    fn our_manifests_name_versions() {
        let needs = |req: &str, path: Option<&str>| {
            let (name, path) = ("serde".to_owned(), path.map(str::to_owned));
            Dependency { name, req: req.to_owned(), path }
        };
        for (needed, ours, count) in [
            (needs("^1", None), true, 0),
            (needs("*", Some("crates/values")), true, 0),
            (needs("*", None), true, 1),
            // what others do is between them and the registry
            (needs("*", None), false, 0),
        ] {
            let source = if ours { None } else { REGISTRY };
            let mut package = package(Some("MIT"), "x", source);
            package.dependencies.push(needed);
            assert_eq!(policy().refusals(&package).len(), count, "{package:?}");
        }
    }
}
