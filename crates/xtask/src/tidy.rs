//! The rules of the house that neither the compiler nor clippy knows, checked in a moment.
//!
//! Each rule is a function from the tree of files to findings. A finding says where, which rule,
//! and in a sentence why the rule is there.

mod documents;
mod files;
pub(crate) mod layers;
mod manifests;
mod modules;
mod rooms;
mod security;
mod source;
mod tree;

use std::fmt;
use std::time::Instant;

use anyhow::{Result, bail};

use self::tree::Tree;
use crate::workspace::root;

/// A place where the tree breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// From 1; 0 means the file as a whole.
    line: usize,
    rule: &'static str,
    sentence: String,
}

impl Finding {
    fn new(
        path: impl Into<String>,
        line: usize,
        rule: &'static str,
        sentence: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), line, rule, sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, sentence } = self;
        match line {
            0 => write!(out, "{path}: {rule}: {sentence}"),
            _ => write!(out, "{path}:{line}: {rule}: {sentence}"),
        }
    }
}

/// Everything that the rules refuse, in the order of the files.
fn refusals(tree: &Tree) -> Vec<Finding> {
    let rules = [
        layers::check,
        manifests::check,
        rooms::check,
        modules::check,
        files::check,
        documents::check,
        security::check,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings.dedup();
    findings
}

/// `cargo xtask tidy`
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let tree = Tree::of_repository(root())?;
    for warning in files::warnings(&tree) {
        eprintln!("warning: {warning}");
    }
    let findings = refusals(&tree);
    for finding in &findings {
        eprintln!("{finding}");
    }
    eprintln!("tidy: {} files, {} ms", tree.len(), start.elapsed().as_millis());
    match findings.len() {
        0 => Ok(()),
        1 => bail!("tidy refuses 1 thing"),
        many => bail!("tidy refuses {many} things"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a planted tree is refused and by which rule, in the order of the files.
    pub(super) fn places(findings: &[Finding]) -> Vec<String> {
        let mut findings = findings.to_vec();
        findings.sort();
        let place = |found: &Finding| format!("{}:{}:{}", found.path, found.line, found.rule);
        findings.iter().map(place).collect()
    }

    #[test]
    fn refused_words_may_stand_in_strings() {
        // As they do in the rules themselves.
        let tree =
            Tree::planted(&[("crates/xtask/src/main.rs", "//! x\nconst W: &str = \"todo!\";\n")]);
        assert_eq!(places(&files::check(&tree)), Vec::<String>::new());
    }

    #[test]
    fn a_finding_names_file_line_rule_and_reason() {
        let finding = Finding::new("a.rs", 3, "rule", "because");
        assert_eq!(finding.to_string(), "a.rs:3: rule: because");
        assert_eq!(Finding::new("a.rs", 0, "rule", "because").to_string(), "a.rs: rule: because");
    }
}
