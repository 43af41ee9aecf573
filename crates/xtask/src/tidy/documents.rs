//! Documents: a README of a service has its headings, links lead somewhere, decisions are numbered
//! without holes.

use super::Finding;
use super::layers::SERVICES;
use super::tree::Tree;

/// What everybody may look up in the README of every service.
const HEADINGS: [&str; 8] =
    ["Owns", "Answers", "Asks", "Tells", "Hears", "Keeps", "Settings", "Never"];

const DECISIONS: &str = "docs/adr/";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let services = tree.crates().filter(|name| SERVICES.contains(name));
    let mut findings: Vec<Finding> = services.flat_map(|name| readme(tree, name)).collect();
    findings.extend(tree.texts("md").flat_map(|(path, text)| links(tree, path, text)));
    findings.extend(decisions(tree));
    findings
}

fn readme(tree: &Tree, name: &str) -> Vec<Finding> {
    let path = format!("crates/{name}/README.md");
    let Some(text) = tree.text(&path) else {
        let sentence = "a service introduces itself to those who never met it";
        return vec![Finding::new(path, 0, "README", sentence)];
    };
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).map(heading).collect();
    let missing = HEADINGS.iter().filter(|wanted| !told.contains(wanted));
    let finding = |wanted: &&str| {
        let sentence = format!("the heading `{wanted}` is missing; every service answers it");
        Finding::new(&path, 0, "README", sentence)
    };
    missing.map(finding).collect()
}

fn heading(line: &str) -> &str {
    line.trim_start_matches('#').trim()
}

fn links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in targets(line) {
            let sentence = match local(&target).map(|file| resolve_from(folder, file)) {
                Some(Some(file)) if !tree.has(&file) => {
                    format!("`{target}` leads nowhere: `{file}` is not in the repository")
                }
                Some(None) => format!("`{target}` leads out of the repository"),
                _ => continue,
            };
            findings.push(Finding::new(path, index + 1, "link", sentence));
        }
    }
    findings
}

/// The targets of `[text](target)` and `[label]: target` in a line, code spans left out.
fn targets(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let mut found = Vec::new();
    if let Some((label, target)) = prose.trim_start().split_once("]: ")
        && label.starts_with('[')
        && !label.starts_with("[^")
    {
        found.push(target.to_owned());
    }
    for part in prose.split("](").skip(1) {
        found.extend(part.split_once(')').map(|(target, _)| target.to_owned()));
    }
    let bare = |target: &String| {
        let target = target.trim();
        let told = match target.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((inner, _)) => inner,
            None => target.split_whitespace().next().unwrap_or_default(),
        };
        told.replace("%20", " ")
    };
    found.iter().map(bare).collect()
}

/// The file part of a target, unless it is an address of the web or a place on the same page.
fn local(target: &str) -> Option<&str> {
    let file = target.split(['#', '?']).next().unwrap_or_default();
    let foreign = target.contains("://") || target.starts_with("mailto:");
    (!foreign && !file.is_empty()).then_some(file)
}

fn resolve_from(folder: &str, file: &str) -> Option<String> {
    match file.strip_prefix('/') {
        Some(from_root) => resolve("", from_root),
        None => resolve(folder, file),
    }
}

/// A path relative to a folder as one relative to the root; none if it leaves the repository.
pub(crate) fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn decisions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = 1;
    for path in tree.paths().filter(|path| path.starts_with(DECISIONS)) {
        let name = &path[DECISIONS.len()..];
        if matches!(name, "README.md" | "template.md") || !name.ends_with(".md") {
            continue;
        }
        let number = name.split_once('-').filter(|(digits, _)| digits.len() == 4);
        let number = number.and_then(|(digits, _)| digits.parse::<u32>().ok());
        let sentence = match number {
            Some(number) if number == expected => {
                expected += 1;
                continue;
            }
            Some(number) => {
                let sentence = format!(
                    "number {expected:04} should follow; a hole or a twin makes readers search"
                );
                expected = number + 1;
                sentence
            }
            None => "a decision is called `NNNN-what-was-decided.md`".to_owned(),
        };
        findings.push(Finding::new(path, 0, "decision number", sentence));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn a_service_without_its_headings_is_refused() {
        let manifest = ("crates/catalog/Cargo.toml", "");
        let found = check(&Tree::planted(&[manifest]));
        assert_eq!(places(&found), ["crates/catalog/README.md:0:README"]);

        let text = "# souk-catalog\n## Owns\n## Answers\n## Asks\n## Tells\n## Hears\n## Keeps\n## Settings\n";
        let found = check(&Tree::planted(&[manifest, ("crates/catalog/README.md", text)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].sentence.contains("`Never`"), "{}", found[0]);
    }

    #[test]
    fn links_lead_somewhere() {
        let text = "\
[good](adr/0001-a.md#top) [web](https://x.y/z) [here](#below) `[code](gone.md)`
[up](../README.md) ![picture](<gone one.png> \"title\") [root](/docs/adr/)
[out](../../elsewhere.md)
```
[fenced](gone.md)
```
[label]: gone.md
";
        let tree =
            Tree::planted(&[("docs/a.md", text), ("docs/adr/0001-a.md", ""), ("README.md", "")]);
        let expected = [2, 3, 7].map(|line| format!("docs/a.md:{line}:link"));
        assert_eq!(places(&check(&tree)), expected);
    }

    #[test]
    fn decisions_are_numbered_without_holes() {
        let files =
            ["0001-a.md", "0002-b.md", "0004-c.md", "0005-d.md", "0005-e.md", "README.md", "x.md"];
        let paths = files.map(|name| format!("docs/adr/{name}"));
        let planted: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        let expected = ["0004-c.md", "0005-e.md", "x.md"]
            .map(|name| format!("docs/adr/{name}:0:decision number"));
        assert_eq!(places(&check(&Tree::planted(&planted))), expected);
    }
}
