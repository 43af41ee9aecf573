//! The arithmetic of the chain: what is hashed, byte by byte. A change here breaks every chain
//! there is.
use sha2::{Digest, Sha256};

/// Where a chain begins.
pub(crate) const GENESIS: [u8; 32] = [0; 32];
/// Bytes of a salt: nobody finds out erased values by trying.
pub(crate) const SALT: usize = 16;

const ENTRY: &[u8] = b"souk.audit.entry.1";
const VALUES: &[u8] = b"souk.audit.values.1";

/// What is kept of an entry for as long as the entry itself.
pub(crate) struct Kept<'a> {
    pub(crate) seq: i64,
    pub(crate) id: &'a [u8; 16],
    pub(crate) at_us: i64,
    pub(crate) words: [&'a str; 7],
    /// Of the values, by [`digest`].
    pub(crate) digest: &'a [u8],
}

/// The link: the hash of the row before, and everything that is kept of this one.
pub(crate) fn hash(prev: &[u8], kept: &Kept<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    put(&mut hash, ENTRY);
    put(&mut hash, prev);
    put(&mut hash, &kept.seq.to_be_bytes());
    put(&mut hash, kept.id);
    put(&mut hash, &kept.at_us.to_be_bytes());
    for word in kept.words {
        put(&mut hash, word.as_bytes());
    }
    put(&mut hash, kept.digest);
    hash.finalize().into()
}

/// Stands for the values when they are erased.
pub(crate) fn digest(salt: &[u8], address: Option<&str>, changes: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    put(&mut hash, VALUES);
    put(&mut hash, salt);
    match address {
        None => put(&mut hash, &[0]),
        Some(address) => {
            put(&mut hash, &[1]);
            put(&mut hash, address.as_bytes());
        }
    }
    put(&mut hash, changes.as_bytes());
    hash.finalize().into()
}

/// With its length in front, so that no two rows print alike.
fn put(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// Hexadecimal, as people keep it elsewhere.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<'a>(words: [&'a str; 7]) -> Kept<'a> {
        Kept { seq: 1, id: &[7; 16], at_us: 2, words, digest: &[3; 32] }
    }

    #[test]
    fn a_moved_border_between_words_is_another_hash() {
        let one = kept(["ab", "c", "", "", "", "", ""]);
        let other = kept(["a", "bc", "", "", "", "", ""]);
        assert_ne!(hash(&GENESIS, &one), hash(&GENESIS, &other));
        assert_ne!(digest(&[1], None, "x"), digest(&[1], Some(""), "x"));
        assert_ne!(digest(&[1], Some("a"), "b"), digest(&[1], Some("ab"), ""));
    }

    #[test]
    fn every_kept_thing_is_in_the_hash() {
        let words = ["a", "b", "c", "d", "e", "f", "g"];
        let base = hash(&GENESIS, &kept(words));
        assert_ne!(base, hash(&[1; 32], &kept(words)));
        assert_ne!(base, hash(&GENESIS, &Kept { seq: 2, ..kept(words) }));
        assert_ne!(base, hash(&GENESIS, &Kept { id: &[8; 16], ..kept(words) }));
        assert_ne!(base, hash(&GENESIS, &Kept { at_us: 3, ..kept(words) }));
        assert_ne!(base, hash(&GENESIS, &Kept { digest: &[4; 32], ..kept(words) }));
        for at in 0..words.len() {
            let mut changed = words;
            changed[at] = "z";
            assert_ne!(base, hash(&GENESIS, &kept(changed)), "word {at}");
        }
    }

    #[test]
    fn the_hash_is_the_same_in_every_release() {
        let words = ["usr_1", "gateway", "product.changed", "product/prd_1", "done", "", "t1"];
        let text = hex(&hash(&GENESIS, &kept(words)));
        assert_eq!(text, "0572a5fe5de4486829dabbb154a1fec2e20f67bcd58773e1b1b9b3b8b1d836fd");
    }
}
