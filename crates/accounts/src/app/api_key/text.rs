//! The text of a key: `souk_`, 43 characters of 32 random bytes, 6 characters of a CRC-32 of all
//! before. Prefix and checksum let scanners for leaked secrets find it without asking us.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest, Sha256};

const MARK: &str = "souk_";
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// Characters of the secret that lists show.
const SHOWN: usize = 8;

/// A key as its owner holds it. Prints as `***`.
pub(super) struct KeyText(String);

impl KeyText {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        let text = format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes));
        let checksum = checksum(&text);
        Self(text + &checksum)
    }

    /// `None`: no key of ours looks like this. Nothing is looked up for that.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() != MARK.len() + SECRET + CHECKSUM {
            return None;
        }
        let (before, sum) = text.split_at_checked(MARK.len() + SECRET)?;
        let secret = URL_SAFE_NO_PAD.decode(before.strip_prefix(MARK)?).ok()?;
        (secret.len() == 32 && sum == checksum(before)).then(|| Self(text.to_owned()))
    }

    /// Enough to recognise it, too little to use it.
    pub(super) fn prefix(&self) -> String {
        self.0.chars().take(MARK.len() + SHOWN).collect()
    }

    /// What is stored. 256 random bits need no salt and no slow hash.
    pub(super) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }

    pub(super) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn checksum(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(crc32fast::hash(text.as_bytes()).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_does_not_print() {
        let key = KeyText::random();
        assert_eq!(format!("{key:?}"), "***");
        let (hash, prefix) = (key.hash(), key.prefix());
        let text = key.reveal();
        assert_eq!((text.len(), prefix.len()), (54, 13));
        assert!(text.starts_with(&prefix) && prefix.starts_with("souk_"));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{text}");
        assert_eq!(KeyText::parse(&text).unwrap().hash(), hash);
        assert_ne!(KeyText::random().hash(), hash);
    }

    #[test]
    fn every_changed_character_breaks_it() {
        let text = KeyText::random().reveal();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(KeyText::parse(std::str::from_utf8(&bytes).unwrap()).is_none(), "{at}");
        }
        for wrong in ["", "souk_", &text[1..], &format!("{text}A"), &"é".repeat(27)] {
            assert!(KeyText::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_checksum_is_crc_32() {
        // the check value of CRC-32/ISO-HDLC
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    }
}
