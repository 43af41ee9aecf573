//! Second factors: secrets that are kept and read again, but not by whoever has the database, and
//! recovery codes that are only recognised.
//!
//! Sealed by AES-256-GCM: `nonce (12) | ciphertext | tag (16)`.

use rand::Rng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use souk_values::UserId;

use super::Keys;

/// It was sealed by a key that is not ours, for somebody else, or changed since. More is not told.
#[derive(Debug, thiserror::Error)]
#[error("the seal does not open")]
pub(crate) struct SealError;

impl From<Unspecified> for SealError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// What was under the seal.
pub(crate) struct Opened {
    pub(crate) plain: Vec<u8>,
    /// Sealed before the last change of keys: to be sealed again.
    pub(crate) is_dated: bool,
}

impl Keys {
    /// Bound to its owner: moved to another's row it does not open.
    pub(crate) fn seal(&self, owner: UserId, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = plain.to_vec();
        sealing_key(&self.seed)?.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(owner.uuid().into_bytes()),
            &mut sealed,
        )?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// An error when it was not sealed for this owner by a key of ours, or changed since.
    pub(crate) fn open(&self, owner: UserId, sealed: &[u8]) -> Result<Opened, SealError> {
        match (open(&self.seed, owner, sealed), &self.previous) {
            (Ok(plain), _) => Ok(Opened { plain, is_dated: false }),
            (Err(_), Some(previous)) => {
                Ok(Opened { plain: open(previous, owner, sealed)?, is_dated: true })
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Whether anything may still be sealed by an earlier key.
    pub(crate) fn has_previous(&self) -> bool {
        self.previous.is_some()
    }

    /// What is stored of a recovery code.
    pub(crate) fn recovery_code(&self, owner: UserId, code: &str) -> Vec<u8> {
        recovery_code(&self.seed, owner, code)
    }

    /// What may be stored of it: by today's key, or by the one before it.
    pub(crate) fn recovery_code_tags(&self, owner: UserId, code: &str) -> Vec<Vec<u8>> {
        let seeds = std::iter::once(&self.seed).chain(&self.previous);
        seeds.map(|seed| recovery_code(seed, owner, code)).collect()
    }
}

fn recovery_code(seed: &[u8; 32], owner: UserId, code: &str) -> Vec<u8> {
    let key = Keys::purpose(seed, "recovery code");
    Keys::mac(&key, &[owner.uuid().as_bytes(), code.as_bytes()])
}

fn sealing_key(seed: &[u8; 32]) -> Result<LessSafeKey, SealError> {
    let key = Keys::purpose(seed, "second factor secret");
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?))
}

fn open(seed: &[u8; 32], owner: UserId, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    let mut sealed = sealed.to_vec();
    let owner = Aad::from(owner.uuid().into_bytes());
    Ok(sealing_key(seed)?.open_in_place(nonce, owner, &mut sealed)?.to_vec())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn keys(byte: u8, previous: Option<u8>) -> Keys {
        let text = |byte| URL_SAFE_NO_PAD.encode([byte; 32]);
        Keys::new(&text(byte), &previous.map(text).unwrap_or_default()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_our_keys_only() {
        let (ann, ben) = (UserId::new(), UserId::new());
        let sealed = keys(1, None).seal(ann, b"a secret").unwrap();
        assert_eq!(sealed.len(), 12 + 8 + 16);
        let opened = keys(1, None).open(ann, &sealed).unwrap();
        assert_eq!((opened.plain.as_slice(), opened.is_dated), (b"a secret".as_slice(), false));
        assert!(keys(1, None).open(ben, &sealed).is_err());
        assert!(keys(2, None).open(ann, &sealed).is_err());
        let opened = keys(2, Some(1)).open(ann, &sealed).unwrap();
        assert_eq!((opened.plain.as_slice(), opened.is_dated), (b"a secret".as_slice(), true));
        assert!(keys(2, Some(1)).open(ben, &sealed).is_err());
    }

    #[test]
    fn every_changed_byte_breaks_the_seal() {
        let ann = UserId::new();
        let sealed = keys(1, None).seal(ann, b"a secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys(1, None).open(ann, &changed).is_err(), "{at}");
        }
        assert!(keys(1, None).open(ann, &[]).is_err());
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        let ann = UserId::new();
        let sealed = || keys(1, None).seal(ann, b"a secret").unwrap();
        let (one, other) = (sealed(), sealed());
        assert_ne!(one, other);
        assert!(!one.windows(8).any(|bytes| bytes == b"a secret"));
    }

    #[test]
    fn a_recovery_code_is_known_to_its_owner_also_after_a_change_of_keys() {
        let (ann, ben) = (UserId::new(), UserId::new());
        let stored = keys(1, None).recovery_code(ann, "ABC");
        assert!(keys(2, Some(1)).recovery_code_tags(ann, "ABC").contains(&stored));
        assert!(!keys(2, None).recovery_code_tags(ann, "ABC").contains(&stored));
        assert!(!keys(1, None).recovery_code_tags(ben, "ABC").contains(&stored));
        assert!(!keys(1, None).recovery_code_tags(ann, "ABD").contains(&stored));
    }
}
