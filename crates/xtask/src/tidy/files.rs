//! Single files: their names, their first line, their length, and words that mean "not done".

use super::Finding;
use super::source::tokens;
use super::tree::{Tree, ending};

/// Names that say nothing; what lies there has a better name.
const BANNED: [&str; 7] = ["common", "helper", "helpers", "misc", "util", "utils", "mod"];

const LINES_WARNED: usize = 400;
const LINES_REFUSED: usize = 500;

/// Marks of unfinished work in comments.
const MARKS: [&str; 2] = ["TODO", "FIXME"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let names = tree.paths().flat_map(name);
    let rust = tree.sources().flat_map(|(path, source)| {
        let text = tree.text(path).unwrap_or_default();
        let mut findings = first_line(path, text);
        findings
            .extend(length(path, text).filter(|(lines, _)| *lines > LINES_REFUSED).map(|x| x.1));
        findings.extend(marks(path, &source.comments));
        findings.extend(unfinished(path, &source.code));
        findings
    });
    // Documents may speak of such marks.
    let others = tree.paths().filter(|path| !matches!(ending(path), Some("rs" | "md")));
    let others = others.filter_map(|path| Some((path, tree.text(path)?)));
    names.chain(rust).chain(others.flat_map(|(path, text)| marks(path, text))).collect()
}

/// Files that grow towards the limit; shown, not refused.
pub(crate) fn warnings(tree: &Tree) -> Vec<Finding> {
    let long = tree.texts("rs").filter_map(|(path, text)| length(path, text));
    let warned = long.filter(|(lines, _)| (LINES_WARNED + 1..=LINES_REFUSED).contains(lines));
    warned.map(|(_, finding)| finding).collect()
}

fn name(path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        let rust_or_folder = part.ends_with(".rs") || part == stem;
        // `mod` is banned as a file only; the folder rule is for rooms called "common" and such.
        if BANNED.contains(&stem) && rust_or_folder && (stem != "mod" || part == "mod.rs") {
            let sentence = if stem == "mod" {
                "`foo.rs` beside `foo/`, never `foo/mod.rs`: an editor full of tabs called `mod.rs` \
                 helps nobody"
                    .to_owned()
            } else {
                format!("`{part}` says nothing about what is in it; name it by its purpose")
            };
            findings.push(Finding::new(path, 0, "file name", sentence));
        }
    }
    findings
}

fn first_line(path: &str, text: &str) -> Vec<Finding> {
    let exempt = path.ends_with("/build.rs");
    if exempt || text.starts_with("//!") {
        return Vec::new();
    }
    let sentence = "a file opens with `//!` and a sentence: its noun, and what may surprise";
    vec![Finding::new(path, 1, "opening sentence", sentence)]
}

fn length(path: &str, text: &str) -> Option<(usize, Finding)> {
    let lines = text.lines().count();
    let sentence = format!(
        "{lines} lines; above {LINES_WARNED} look for a second noun, above {LINES_REFUSED} it is \
         refused"
    );
    (lines > LINES_WARNED).then(|| (lines, Finding::new(path, 0, "length", sentence)))
}

fn marks(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if let Some(mark) = words.find(|word| MARKS.contains(word)) {
            let sentence = format!("`{mark}` in the tree is a promise to nobody; file an issue");
            findings.push(Finding::new(path, index + 1, "unfinished", sentence));
        }
    }
    findings
}

/// `todo!`, `dbg!` and ignored tests.
fn unfinished(path: &str, code: &str) -> Vec<Finding> {
    if !["todo", "dbg", "ignore"].iter().any(|word| code.contains(word)) {
        return Vec::new();
    }
    let tokens = tokens(code);
    let mut findings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let around = |offset: isize| {
            at.checked_add_signed(offset)
                .and_then(|at| tokens.get(at))
                .map_or("", |token| token.text)
        };
        let sentence = match (around(-1), token.text, around(1)) {
            (_, "todo", "!") => "`todo!` is a crash in waiting; return an error or finish it",
            (_, "dbg", "!") => "`dbg!` is for the desk, not for the tree",
            ("[", "ignore", "]" | "=") if around(-2) == "#" => {
                "an ignored test protects nothing; fix it or delete it"
            }
            _ => continue,
        };
        findings.push(Finding::new(path, token.line, "unfinished", sentence));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    fn refused(path: &str, text: &str) -> Vec<String> {
        places(&check(&Tree::planted(&[(path, text)])))
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for path in ["crates/a/src/utils.rs", "crates/common/src/lib.rs", "crates/a/src/b/mod.rs"] {
            assert_eq!(refused(path, "//! x\n"), [format!("{path}:0:file name")]);
        }
        for path in ["crates/a/src/modules.rs", "docs/misc.md", "crates/a/src/commons.rs"] {
            assert_eq!(refused(path, "//! x\n"), Vec::<String>::new());
        }
    }

    #[test]
    fn a_file_opens_with_a_sentence() {
        assert_eq!(refused("a/src/lib.rs", "\n//! late\n"), ["a/src/lib.rs:1:opening sentence"]);
        assert_eq!(refused("a/build.rs", "fn main() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn long_files_are_warned_about_and_longer_ones_refused() {
        for (lines, warned, refused) in [(400, 0, 0), (401, 1, 0), (500, 1, 0), (501, 0, 1)] {
            let text = "//! x\n".repeat(lines);
            let tree = Tree::planted(&[("a.rs", &text)]);
            assert_eq!((warnings(&tree).len(), check(&tree).len()), (warned, refused), "{lines}");
        }
    }

    #[test]
    fn unfinished_work_is_refused() {
        let text = "//! x\n// TODO: later\n/* FIXME */\nfn f() { todo!() }\nfn g() { dbg!(1); }\n#[ignore]\nfn h() {}\n#[ignore = \"slow\"]\nfn i() {}\n";
        let expected = [2, 3, 4, 5, 6, 8].map(|line| format!("a.rs:{line}:unfinished"));
        assert_eq!(refused("a.rs", text), expected);
        assert_eq!(refused("deploy/a.yml", "# TODO\n"), ["deploy/a.yml:1:unfinished"]);
    }

    #[test]
    fn words_that_only_look_unfinished_pass() {
        let text =
            "//! TODOS\nconst A: &str = \"TODO todo!() #[ignore]\";\nlet todo = ignore[0];\n";
        assert_eq!(refused("a.rs", text), Vec::<String>::new());
        assert_eq!(refused("docs/a.md", "no TODO here\n"), Vec::<String>::new());
    }
}
