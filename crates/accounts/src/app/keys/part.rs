//! Parts of files of personal data: read again by their owner, but not by whoever has the database.
//!
//! Sealed by AES-256-GCM like second factors, bound to owner, file and place: parts that were
//! swapped, or put into another's file, do not open.

use rand::Rng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use souk_values::{JobId, UserId};

use super::Keys;
use super::seal::SealError;

/// Where a part belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) owner: UserId,
    pub(crate) file: JobId,
    pub(crate) position: i64,
}

impl Place {
    fn bound(self) -> Vec<u8> {
        let (owner, file) = (self.owner.uuid(), self.file.uuid());
        [owner.as_bytes(), file.as_bytes(), self.position.to_be_bytes().as_slice()].concat()
    }
}

impl Keys {
    pub(crate) fn seal_part(&self, place: Place, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = plain.to_vec();
        key(&self.seed)?.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.bound()),
            &mut sealed,
        )?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open_part(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        match (open(&self.seed, place, sealed), &self.previous) {
            (Err(_), Some(previous)) => open(previous, place, sealed),
            (opened, _) => opened,
        }
    }
}

fn key(seed: &[u8; 32]) -> Result<LessSafeKey, SealError> {
    let key = Keys::purpose(seed, "personal data file");
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?))
}

fn open(seed: &[u8; 32], place: Place, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    let mut sealed = sealed.to_vec();
    Ok(key(seed)?.open_in_place(nonce, Aad::from(place.bound()), &mut sealed)?.to_vec())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn a_part_opens_in_its_place_only_and_survives_one_change_of_keys() {
        let text = |byte: u8| URL_SAFE_NO_PAD.encode([byte; 32]);
        let keys = Keys::new(&text(1), "").unwrap();
        let place = Place { owner: UserId::new(), file: JobId::new(), position: 3 };
        let sealed = keys.seal_part(place, b"Hauptstr. 5").unwrap();
        assert!(!sealed.windows(5).any(|some| some == b"Haupt"));
        assert_eq!(keys.open_part(place, &sealed).unwrap(), b"Hauptstr. 5");
        let changed = Keys::new(&text(2), &text(1)).unwrap();
        assert_eq!(changed.open_part(place, &sealed).unwrap(), b"Hauptstr. 5");
        assert!(Keys::new(&text(2), "").unwrap().open_part(place, &sealed).is_err());
        for other in [
            Place { owner: UserId::new(), ..place },
            Place { file: JobId::new(), ..place },
            Place { position: 4, ..place },
        ] {
            assert!(keys.open_part(other, &sealed).is_err(), "{other:?}");
        }
        for length in [0, 11, sealed.len() - 1] {
            assert!(keys.open_part(place, &sealed[..length]).is_err());
        }
    }
}
