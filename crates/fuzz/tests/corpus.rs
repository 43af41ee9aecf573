//! Every target over its corpus, and over a bounded number of changed copies: what continuous
//! integration runs without libFuzzer. The same seed makes the same inputs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use souk_fuzz::{TARGETS, Target};

/// Change it to try others; a failure names it and the round.
const SEED: u64 = 0x5007_u64;
/// Changed copies for each target.
const ROUNDS: u64 = 3_000;
/// Longest input.
const MOST: usize = 4_096;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("a size");
        usize::try_from(self.next() % end).expect("a size")
    }
}

/// What parsers trip over.
const WORDS: [&[u8]; 20] = [
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"%00",
    b"%ff",
    b"+",
    b"&",
    b"=",
    b";",
    b"\"",
    b"\"\"",
    b",",
    b".",
    b"-1",
    b"9223372036854775808",
    b"null",
    b"{}",
    b"\xef\xbb\xbf",
    b"\n\n",
];

/// A changed copy of one input, with a piece of another.
fn changed(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(data.len() + 1);
        match chance.below(6) {
            0 if at < data.len() => data[at] ^= 1 << chance.below(8),
            1 if at < data.len() => {
                let end = (at + 1 + chance.below(8)).min(data.len());
                data.drain(at..end);
            }
            2 => {
                let word = WORDS[chance.below(WORDS.len())];
                data.splice(at..at, word.iter().copied());
            }
            3 => {
                let other = &corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(32)).min(other.len());
                data.splice(at..at, other[from..to].iter().copied());
            }
            4 => {
                let end = (at + chance.below(32)).min(data.len());
                let twice = data[at..end].to_vec();
                data.splice(at..at, twice);
            }
            _ => data.truncate(at),
        }
    }
    data.truncate(MOST);
    data
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    // in the same order everywhere
    paths.sort();
    let mut found: Vec<Vec<u8>> =
        paths.iter().map(|path| fs::read(path).expect("an input")).collect();
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found.extend((target.seeds)());
    found
}

fn run(target: &Target, data: &[u8], what: &str) {
    let run = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    assert!(run.is_ok(), "{} fails at {what}: {:?}", target.name, String::from_utf8_lossy(data));
}

#[test]
fn every_target_stands_its_corpus_and_changed_copies_of_it() {
    println!("seed {SEED:#x}, {ROUNDS} rounds for each of {} targets", TARGETS.len());
    for target in &TARGETS {
        let corpus = corpus(target);
        for (at, data) in corpus.iter().enumerate() {
            run(target, data, &format!("input {at} of its corpus"));
        }
        let mut chance = Chance(SEED);
        for round in 0..ROUNDS {
            let data = changed(&mut chance, &corpus);
            run(target, &data, &format!("round {round} of seed {SEED:#x}"));
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let corpus = [b"abcdef".to_vec(), b"ghi".to_vec()];
    let inputs = |seed| {
        let mut chance = Chance(seed);
        (0..100).map(|_| changed(&mut chance, &corpus)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(SEED), inputs(SEED));
    assert_ne!(inputs(SEED), inputs(SEED + 1));
}

#[test]
fn every_target_has_its_program_and_its_corpus() {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(home.join("libfuzzer/Cargo.toml")).expect("a manifest");
    for target in &TARGETS {
        let name = target.name;
        let program = home.join(format!("libfuzzer/targets/{name}.rs"));
        let text = fs::read_to_string(&program).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(text.contains(&format!("souk_fuzz::{name}(data)")), "{name} runs another target");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name} is not built");
    }
    let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    for folder in fs::read_dir(home.join("corpus")).expect("the corpora") {
        let name = folder.expect("a folder").file_name();
        assert!(known.contains(&name.to_string_lossy().as_ref()), "{name:?} has no target");
    }
}

#[test]
fn a_target_that_panics_fails_with_its_input() {
    let target = Target { name: "none", run: |data| assert!(data.len() < 3), seeds: Vec::new };
    run(&target, b"ab", "here");
    let failed = catch_unwind(|| run(&target, b"abc", "there")).expect_err("a failure");
    let said = failed.downcast_ref::<String>().expect("a sentence");
    assert!(said.contains("none fails at there: \"abc\""), "{said}");
}
