//! Dead files: Rust sources that no crate root reaches by `mod`.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Finding;
use super::documents::resolve;
use super::source::{Source, tokens};
use super::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut alive = BTreeSet::new();
    let mut open: Vec<(String, bool)> = roots(tree).into_iter().map(|root| (root, true)).collect();
    while let Some((path, is_root)) = open.pop() {
        if let Some(source) = tree.source(&path).filter(|_| alive.insert(path.clone())) {
            let text = tree.text(&path).unwrap_or_default();
            let declared = declared(&path, text, source, is_root);
            open.extend(
                declared.into_iter().filter(|path| tree.has_file(path)).map(|p| (p, false)),
            );
        }
    }
    let dead = tree.texts("rs").map(|(path, _)| path).filter(|path| !alive.contains(*path));
    let sentence = "nobody declares this file as a module: what is not compiled is not true";
    dead.map(|path| Finding::new(path, 0, "dead file", sentence)).collect()
}

/// Files that cargo compiles by their place or because the manifest says so.
fn roots(tree: &Tree) -> Vec<String> {
    let named = tree.crates().flat_map(|name| {
        let manifest = tree.text(&format!("crates/{name}/Cargo.toml")).unwrap_or_default();
        let manifest: Table = manifest.parse().unwrap_or_default();
        let mut targets = Vec::new();
        for value in manifest.values() {
            // `[lib]` and `[package]` are tables, `[[bin]]` and `[[test]]` arrays of tables.
            targets.extend(value.as_table());
            targets.extend(value.as_array().into_iter().flatten().filter_map(Value::as_table));
        }
        let told = targets.into_iter().filter_map(|table| table.get("path")?.as_str());
        told.filter_map(|path| resolve(&format!("crates/{name}"), path)).collect::<Vec<_>>()
    });
    let placed = tree.texts("rs").map(|(path, _)| path).filter(|path| is_root(path));
    named.chain(placed.map(str::to_owned)).collect()
}

fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["crates", _, "build.rs"] | ["crates", _, "src", "lib.rs" | "main.rs"] => true,
        ["crates", _, "src", "bin", _] | ["crates", _, "src", "bin", _, "main.rs"] => true,
        ["crates", _, "tests" | "benches" | "examples", rest @ ..] => {
            matches!(rest, [_] | [_, "main.rs"])
        }
        // of a workspace of their own, which needs libFuzzer
        ["crates", "fuzz", "libfuzzer", "targets", _] => true,
        _ => false,
    }
}

/// The files that the modules of this one may lie in.
fn declared(path: &str, text: &str, source: &Source, is_root: bool) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let home =
        if is_root || stem == "mod" { folder.to_owned() } else { format!("{folder}/{stem}") };

    if !["mod ", "include"].iter().any(|word| source.code.contains(word)) {
        return Vec::new();
    }
    let tokens = tokens(&source.code);
    let line = |number: usize| text.lines().nth(number - 1).unwrap_or_default();
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut found = Vec::new();
    // The inline modules around this place, each with the depth of its braces.
    let mut around: Vec<(usize, &str)> = Vec::new();
    let mut depth = 0;
    let mut told_path = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => {
                around.retain(|(inner, _)| *inner < depth);
                depth = depth.saturating_sub(1);
            }
            // an attribute; the path of a template and a variable lead to no module
            "path" if word(at + 1) == "=" && word(at.saturating_sub(1)) == "[" => {
                told_path = quoted(line(token.line), "path");
            }
            "include" if word(at + 1) == "!" => {
                let told = quoted(line(token.line), "include");
                found.extend(told.and_then(|told| resolve(folder, told)));
            }
            "mod" if word(at + 2) == "{" => around.push((depth + 1, word(at + 1))),
            "mod" if word(at + 2) == ";" => {
                let inline = around.iter().map(|(_, name)| format!("/{name}"));
                let home = format!("{home}{}", inline.collect::<String>());
                let name = word(at + 1);
                match told_path.take() {
                    Some(told) if around.is_empty() => found.extend(resolve(folder, told)),
                    Some(told) => found.extend(resolve(&home, told)),
                    None => {
                        found.push(format!("{home}/{name}.rs"));
                        found.push(format!("{home}/{name}/mod.rs"));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The first string of a line behind a word.
fn quoted<'line>(line: &'line str, behind: &str) -> Option<&'line str> {
    let (_, rest) = line.split_once(behind)?;
    rest.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    const MANIFEST: (&str, &str) = ("crates/a/Cargo.toml", "[package]\nname = \"souk-a\"\n");

    fn dead(files: &[(&str, &str)]) -> Vec<String> {
        places(&check(&Tree::planted(&[&[MANIFEST], files].concat())))
    }

    #[test]
    fn a_file_that_nobody_declares_is_dead() {
        let files = [
            ("crates/a/src/lib.rs", "mod b;\n// mod c;\n"),
            (
                "crates/a/src/b.rs",
                "#[cfg(test)]\nmod tests;\nmod inline { mod deep; }\nmod after;\n",
            ),
            ("crates/a/src/b/tests.rs", ""),
            ("crates/a/src/b/after.rs", ""),
            ("crates/a/src/b/inline/deep.rs", ""),
            ("crates/a/src/c.rs", ""),
            ("crates/a/src/b/inline/after.rs", ""),
        ];
        assert_eq!(
            dead(&files),
            ["crates/a/src/b/inline/after.rs:0:dead file", "crates/a/src/c.rs:0:dead file"]
        );
    }

    #[test]
    fn roots_need_no_declaration() {
        let files = [
            ("crates/a/build.rs", ""),
            ("crates/a/src/main.rs", ""),
            ("crates/a/tests/it/main.rs", "mod product;"),
            ("crates/a/tests/it/product.rs", ""),
            ("crates/a/tests/it/lost.rs", ""),
            ("tools/lost.rs", ""),
        ];
        assert_eq!(
            dead(&files),
            ["crates/a/tests/it/lost.rs:0:dead file", "tools/lost.rs:0:dead file"]
        );
    }

    #[test]
    fn told_paths_and_included_files_are_alive() {
        let files = [
            (
                "crates/a/src/lib.rs",
                "#[path = \"other/x.rs\"]\nmod b;\ninclude!(\"y.rs\");\nmod c;\n",
            ),
            ("crates/a/src/other/x.rs", ""),
            ("crates/a/src/y.rs", ""),
            ("crates/a/src/c.rs", ""),
        ];
        assert_eq!(dead(&files), Vec::<String>::new());
    }

    #[test]
    fn the_manifest_may_name_a_root() {
        let manifest =
            "[package]\nname = \"souk-a\"\n[[bin]]\nname = \"x\"\npath = \"src/x/start.rs\"\n";
        let files = [("crates/a/Cargo.toml", manifest), ("crates/a/src/x/start.rs", "")];
        assert_eq!(places(&check(&Tree::planted(&files))), Vec::<String>::new());
    }
}
