//! The letters in the folder of a shop, by whom they are for.
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use souk_testkit::letter::{recipient, token, words};

use crate::process::until;

/// For letters on their way; a bound, not a promise.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks into the folder, which may hold thousands.
const PAUSE: Duration = Duration::from_millis(50);

/// What begins a letter of that kind.
pub(crate) const SIGNED_OUT: &str = "A device was signed out";
pub(crate) const NEW_PASSWORD: &str = "Choose a new password";

/// A folder that is looked through as it fills.
pub(crate) struct Letters {
    folder: PathBuf,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    at: Option<Instant>,
    files: HashSet<OsString>,
    /// Words by address, in no order.
    words: HashMap<String, Vec<String>>,
}

impl Letters {
    /// Of the shop with that data directory.
    pub(crate) fn of(data: &Path) -> Self {
        Self { folder: data.join("mail"), read: Mutex::default() }
    }

    /// How many letters of this kind came to this address.
    pub(crate) fn count(&self, address: &str, kind: &str) -> usize {
        self.found(address, kind).len()
    }

    /// Waits until so many came; answers how many did.
    pub(crate) async fn wait_for(&self, address: &str, kind: &str, count: usize) -> usize {
        until(PATIENCE, async || self.count(address, kind) >= count).await;
        self.count(address, kind)
    }

    /// The token of a link to a new password that is none of `known`.
    pub(crate) async fn link(&self, address: &str, known: &[String]) -> String {
        let mut new = None;
        until(PATIENCE, async || {
            let letters = self.found(address, NEW_PASSWORD);
            let tokens = letters.iter().filter_map(|words| token(words).map(str::to_owned));
            new = tokens.into_iter().find(|token| !known.contains(token));
            new.is_some()
        })
        .await;
        new.unwrap_or_else(|| panic!("no link came to {address}"))
    }

    fn found(&self, address: &str, kind: &str) -> Vec<String> {
        let mut read = self.read.lock().unwrap();
        if read.at.is_none_or(|at| at.elapsed() >= PAUSE) {
            read.look(&self.folder);
        }
        let letters = read.words.get(address).into_iter().flatten();
        letters.filter(|words| words.trim_start().starts_with(kind)).cloned().collect()
    }
}

impl Read {
    fn look(&mut self, folder: &Path) {
        self.at = Some(Instant::now());
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let whole = entry.path().extension().is_some_and(|end| end == "eml");
            if !whole || !self.files.insert(name) {
                continue;
            }
            let raw = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            self.words.entry(recipient(&raw)).or_default().push(words(&raw));
        }
    }
}
