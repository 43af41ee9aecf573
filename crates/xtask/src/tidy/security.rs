//! `docs/security.md` tells the truth: every test that it names is there, in the file that it names,
//! and runs; every requirement has tests or says that it has none.

use super::Finding;
use super::source::tokens;
use super::tree::Tree;

const PAGE: &str = "docs/security.md";

/// What stands instead of tests.
const OPEN: &str = "open";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(PAGE) else { return Vec::new() };
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(cell) = tests_of(line) else { continue };
        let named = named(cell);
        let mut refuse =
            |sentence| findings.push(Finding::new(PAGE, index + 1, "security tests", sentence));
        if named.is_empty() && !cell.starts_with(OPEN) {
            refuse(format!("a requirement has tests, or says `{OPEN}` and why"));
        }
        for (name, place) in named {
            let files = place.map(files).unwrap_or_default();
            let sources: Vec<_> = files.iter().filter_map(|file| tree.source(file)).collect();
            let sentence = match (place, sources.as_slice()) {
                (None, _) => format!("`{name}` has no file behind it: `name` (crate/it/file.rs)"),
                (Some(place), []) => format!("`{place}` is not there: {}", files.join(", ")),
                (Some(place), sources) if !sources.iter().any(|s| runs(&s.code, name)) => {
                    format!("`{name}` is no test of `{place}`: who reads this page relies on it")
                }
                _ => continue,
            };
            refuse(sentence);
        }
    }
    findings
}

/// The last cell of a row about a requirement (`| S17 | … | … |`).
fn tests_of(line: &str) -> Option<&str> {
    let row = line.strip_prefix("| S")?;
    row.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    Some(row.trim_end().strip_suffix('|')?.rsplit_once('|')?.1.trim())
}

/// The names in code spans, each with the file in parentheses behind it; several may share one.
fn named(cell: &str) -> Vec<(&str, Option<&str>)> {
    let mut found = Vec::new();
    let mut waiting = Vec::new();
    for (at, part) in cell.split('`').enumerate() {
        if at % 2 == 1 {
            waiting.push(part);
        } else if let Some((_, rest)) = part.split_once('(') {
            let place = rest.split(')').next().filter(|place| place.ends_with(".rs"));
            found.extend(waiting.drain(..).map(|name| (name, place)));
        }
    }
    found.extend(waiting.into_iter().map(|name| (name, None)));
    found
}

/// `accounts/it/reset.rs` is a test of the crate, `gateway/http/cors.rs` a source of it.
fn files(place: &str) -> Vec<String> {
    let Some((name, rest)) = place.split_once('/') else { return Vec::new() };
    ["tests", "src"].map(|folder| format!("crates/{name}/{folder}/{rest}")).to_vec()
}

/// Whether the function is there and has `#[test]`, or stands in the list of a macro that makes
/// tests of functions.
fn runs(code: &str, name: &str) -> bool {
    let tokens = tokens(code);
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut declared = false;
    let mut called = false;
    for at in (0..tokens.len()).filter(|at| text(*at) == name) {
        if at > 0 && text(at - 1) == "fn" {
            declared = true;
            called |= has_attribute(at, &text);
        } else {
            called |= in_a_list(text(at + 1));
        }
    }
    declared && called
}

/// What follows an item of a macro's list: its end, a comma, or the next item.
fn in_a_list(next: &str) -> bool {
    let is_item = next.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) && next != "as";
    is_item || [",", ")", "]", "}"].contains(&next)
}

/// `#[test] fn`, `#[tokio::test(…)] async fn`, `on_both! { async fn`: looks back over what may stand in
/// between.
fn has_attribute<'text>(at: usize, text: &impl Fn(usize) -> &'text str) -> bool {
    let start = (0..at).rev().find(|at| [";", "}"].contains(&text(*at)));
    (start.unwrap_or_default()..at).any(|at| ["test", "on_both"].contains(&text(at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    const TESTS: &str = "\
//! x
journeys!(
    s01_first,
    s02_second,
);
async fn s01_first() { helps(); }
async fn s02_second() {}
fn helps() {}
#[test]
fn s03_third() {}
#[tokio::test(flavor = \"multi_thread\")]
async fn s04_fourth() {}
fn s05_nobody_runs_this() {}
on_both! {
    s06_without_a_comma
    s07_neither
}
async fn s06_without_a_comma() {}
async fn s07_neither() { s08_a_helper(); }
fn s08_a_helper() {}
";

    fn refused(rows: &str) -> Vec<String> {
        let page = format!("# Security\n\n| | requirement | tests |\n| --- | --- | --- |\n{rows}");
        places(&check(&Tree::planted(&[(PAGE, &page), ("crates/a/tests/it/x.rs", TESTS)])))
    }

    #[test]
    fn tests_that_run_are_found() {
        let rows = "\
| S01 | `If-Match` (RFC 9110) | `s01_first` (a/it/x.rs) |
| S02 | x | `s01_first`, `s02_second` (a/it/x.rs); `s03_third` (a/it/x.rs) |
| S04 | x | `s04_fourth` (a/it/x.rs) |
| S06 | x | `s06_without_a_comma`, `s07_neither` (a/it/x.rs) |
| S05 | x | open: nobody has a second machine here |
| not | a requirement | |
";
        assert_eq!(refused(rows), Vec::<String>::new());
    }

    #[test]
    fn tests_that_are_not_there_or_do_not_run_are_refused() {
        for row in [
            "| S01 | x | `s01_gone` (a/it/x.rs) |",
            "| S01 | x | `s01_first` (a/it/y.rs) |",
            "| S01 | x | `s01_first` |",
            "| S01 | x | `s05_nobody_runs_this` (a/it/x.rs) |",
            "| S01 | x | `s08_a_helper` (a/it/x.rs) |",
            "| S01 | x | `s01_first`, `s09_gone` (a/it/x.rs) |",
            "| S01 | x | |",
            "| S01 | x | soon |",
        ] {
            assert_eq!(refused(row), ["docs/security.md:5:security tests"], "{row}");
        }
    }

    #[test]
    fn a_source_may_hold_the_test() {
        let page = "| S01 | x | `s03_third` (a/http/cors.rs) |\n";
        let tree = Tree::planted(&[(PAGE, page), ("crates/a/src/http/cors.rs", TESTS)]);
        assert_eq!(places(&check(&tree)), Vec::<String>::new());
    }
}
