//! What every manifest says alike: the lints and the versions come from the workspace.

use toml::{Table, Value};

use super::Finding;
use super::tree::Tree;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// One dependency of a manifest.
pub(crate) struct Dependency<'manifest> {
    pub(crate) name: &'manifest str,
    pub(crate) kind: Kind,
    value: &'manifest Value,
}

const SECTIONS: [(&str, Kind); 3] = [
    ("dependencies", Kind::Normal),
    ("build-dependencies", Kind::Build),
    ("dev-dependencies", Kind::Dev),
];

/// All dependencies of a manifest, also those of single targets.
pub(crate) fn dependencies(manifest: &Table) -> Vec<Dependency<'_>> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(targets) {
        for (section, kind) in SECTIONS {
            let entries = table.get(section).and_then(Value::as_table).into_iter().flatten();
            found.extend(entries.map(|(name, value)| Dependency { name, kind, value }));
        }
    }
    found
}

/// The line of a dependency in its section; 0 if it is written in a way that we do not find.
pub(crate) fn line_of(text: &str, dependency: &Dependency<'_>) -> usize {
    let section = SECTIONS.iter().find(|(_, kind)| *kind == dependency.kind).map(|(name, _)| *name);
    let mut here = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let name = header.rsplit('.').next().map(|name| name.trim_matches('"'));
            here = name == section;
            if !here && name == Some(dependency.name) {
                return index + 1;
            }
        }
        let key = line.split(['=', '.']).next().unwrap_or_default().trim().trim_matches('"');
        if here && key == dependency.name {
            return index + 1;
        }
    }
    0
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().flat_map(|name| check_crate(tree, name)).collect()
}

fn check_crate(tree: &Tree, name: &str) -> Vec<Finding> {
    let path = format!("crates/{name}/Cargo.toml");
    let Some(text) = tree.text(&path) else { return Vec::new() };
    // That it is TOML at all is the business of the layers.
    let Ok(manifest) = text.parse::<Table>() else { return Vec::new() };
    let mut findings = Vec::new();

    let told = manifest.get("package").and_then(|package| package.get("name"));
    if told.and_then(Value::as_str) != Some(&format!("souk-{name}")) {
        let sentence = format!(
            "the package of this folder is `souk-{name}`: who knows one name knows the other"
        );
        findings.push(Finding::new(&path, 0, "crate name", sentence));
    }
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        let sentence = "`[lints] workspace = true` is missing: one set of lints for all crates";
        findings.push(Finding::new(&path, 0, "workspace lints", sentence));
    }
    for dependency in dependencies(&manifest) {
        let inherited = dependency.value.get("workspace").and_then(Value::as_bool) == Some(true);
        if !inherited {
            let sentence = format!(
                "`{}` has a version of its own; versions stand once, in the root manifest",
                dependency.name
            );
            let line = line_of(text, &dependency);
            findings.push(Finding::new(&path, line, "workspace versions", sentence));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    fn refused(manifest: &str) -> Vec<String> {
        places(&check(&Tree::planted(&[("crates/a/Cargo.toml", manifest)])))
    }

    #[test]
    fn a_proper_manifest_passes() {
        let manifest = "[package]\nname = \"souk-a\"\n[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\nhttp = { workspace = true, features = [] }\n";
        assert_eq!(refused(manifest), Vec::<String>::new());
    }

    #[test]
    fn an_own_version_is_refused_however_it_is_written() {
        let manifest = "[package]\nname = \"souk-a\"\n[lints]\nworkspace = true\n[dependencies]\nserde = \"1\"\n[dev-dependencies.http]\nversion = \"1\"\n[target.'cfg(unix)'.build-dependencies]\nrustix = { path = \"../x\" }\n";
        assert_eq!(
            refused(manifest),
            [
                "crates/a/Cargo.toml:6:workspace versions",
                "crates/a/Cargo.toml:7:workspace versions",
                "crates/a/Cargo.toml:10:workspace versions",
            ]
        );
    }

    #[test]
    fn own_lints_and_a_wrong_name_are_refused() {
        assert_eq!(
            refused("[package]\nname = \"souk-b\"\n[lints.rust]\nunsafe_code = \"deny\"\n"),
            ["crates/a/Cargo.toml:0:crate name", "crates/a/Cargo.toml:0:workspace lints"]
        );
    }
}
