//! The files of the repository as git sees them: tracked, or new and not ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::source::Source;
use crate::process;

/// Endings of files whose text the rules read.
const READ: [&str; 12] =
    ["rs", "md", "toml", "proto", "yml", "yaml", "tf", "sql", "html", "css", "js", "sh"];

/// Paths with `/`, relative to the root, and the text of those that the rules read.
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
    folders: BTreeSet<String>,
    sources: BTreeMap<String, Source>,
}

impl Tree {
    pub(crate) fn of_repository(root: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        // A checkout that belongs to another user (a container, say) is as good as ours.
        git.current_dir(root).args(["-c", "safe.directory=*", "ls-files", "-z"]);
        git.args(["--cached", "--others", "--exclude-standard"]);
        let listed = process::output(&mut git)?;
        let files = listed.split('\0').filter(|path| !path.is_empty()).filter_map(|path| {
            let file = root.join(path);
            if !reads(path) {
                return file.exists().then(|| (path.to_owned(), None));
            }
            // Deleted and not yet committed: git lists it, but it is no longer there.
            let bytes = fs::read(file).ok()?;
            Some((path.to_owned(), Some(String::from_utf8_lossy(&bytes).into_owned())))
        });
        Ok(Self::new(files.collect()))
    }

    fn new(files: BTreeMap<String, Option<String>>) -> Self {
        let mut folders = BTreeSet::new();
        for path in files.keys() {
            let cuts = path.match_indices('/').map(|(at, _)| at);
            folders.extend(cuts.map(|at| path[..at].to_owned()));
        }
        let rust = files.iter().filter(|(path, _)| ending(path) == Some("rs"));
        let sources =
            rust.filter_map(|(path, text)| Some((path.clone(), Source::new(text.as_deref()?))));
        let sources = sources.collect();
        Self { files, folders, sources }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        path.is_empty() || self.has_file(path) || self.folders.contains(path)
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Files with this ending and their texts.
    pub(crate) fn texts(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        let texts =
            self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)));
        texts.filter(move |(path, _)| self::ending(path) == Some(ending))
    }

    /// The Rust files, each split into code and comments.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(path, source)| (path.as_str(), source))
    }

    pub(crate) fn source(&self, path: &str) -> Option<&Source> {
        self.sources.get(path)
    }

    /// The folder names below `crates/` that hold a manifest.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &str> {
        self.paths().filter_map(|path| {
            let name = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!name.contains('/')).then_some(name)
        })
    }

    /// A tree with these files, for tests of the rules.
    #[cfg(test)]
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let owned = files.iter().map(|(path, text)| (path.to_string(), Some(text.to_string())));
        Self::new(owned.collect())
    }
}

/// The part after the last point of the file name.
pub(crate) fn ending(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.rsplit_once('.').map(|(_, ending)| ending)
}

fn reads(path: &str) -> bool {
    ending(path).is_some_and(|ending| READ.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_count_and_ignored_or_deleted_ones_do_not() {
        let home = tempfile::tempdir().expect("temp dir");
        let git = |words: &[&str]| {
            let mut git = Command::new("git");
            process::output(git.current_dir(home.path()).args(words)).expect("git");
        };
        git(&["init", "-q"]);
        fs::create_dir_all(home.path().join("crates/a/src")).expect("folder");
        for (path, text) in [
            (".gitignore", "/target\n"),
            ("crates/a/Cargo.toml", "[package]\n"),
            ("crates/a/src/lib.rs", "//! a\n"),
            ("target", "ignored"),
            ("deleted.rs", "//! gone\n"),
        ] {
            fs::write(home.path().join(path), text).expect("file");
        }
        git(&["add", "."]);
        fs::remove_file(home.path().join("deleted.rs")).expect("removed");
        fs::write(home.path().join("crates/a/src/new.rs"), "//! new\n").expect("file");

        let tree = Tree::of_repository(home.path()).expect("tree");

        let paths: Vec<&str> = tree.paths().collect();
        let expected =
            [".gitignore", "crates/a/Cargo.toml", "crates/a/src/lib.rs", "crates/a/src/new.rs"];
        assert_eq!(paths, expected);
        assert!(tree.has("crates/a/src") && !tree.has("target"));
        assert_eq!(tree.crates().collect::<Vec<_>>(), ["a"]);
        assert_eq!(tree.text("crates/a/src/new.rs"), Some("//! new\n"));
        assert_eq!(tree.text(".gitignore"), None);
    }
}
