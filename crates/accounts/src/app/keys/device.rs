//! What a device keeps of a login, to be known again at the next one. It lets nobody in.
//!
//! `seconds since the epoch (8) | tag (32)` in base64url. The tag is over the account and the
//! generation of its devices, too, and is stored nowhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use souk_values::UserId;

use super::Keys;

/// Bytes of the time.
const TIME: usize = 8;
const PURPOSE: &str = "device";

impl Keys {
    /// For a device on which somebody logged in to the account at this time.
    pub(crate) fn device(&self, account: UserId, generation: i64, at: DateTime<Utc>) -> String {
        let at = at.timestamp().to_be_bytes();
        let key = Self::purpose(&self.seed, PURPOSE);
        let tag = Self::mac(&key, &[account.uuid().as_bytes(), &generation.to_be_bytes(), &at]);
        URL_SAFE_NO_PAD.encode([at.as_slice(), &tag].concat())
    }

    /// When somebody last logged in to the account on the device that shows this. `None`: nobody
    /// did, or before another generation of its devices began.
    pub(crate) fn device_seen(
        &self,
        account: UserId,
        generation: i64,
        token: &str,
    ) -> Option<DateTime<Utc>> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (at, tag) = bytes.split_first_chunk::<TIME>()?;
        let (id, generation) = (account.uuid(), generation.to_be_bytes());
        let is_of = |seed: &[u8; 32]| {
            let key = Self::purpose(seed, PURPOSE);
            let said: [&[u8]; 3] = [id.as_bytes(), &generation, at];
            let mac = Self::begin(&key, &said);
            hmac::Mac::verify_slice(mac, tag).is_ok()
        };
        let known = is_of(&self.seed) || self.previous.as_ref().is_some_and(is_of);
        known.then(|| DateTime::from_timestamp(i64::from_be_bytes(*at), 0)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8, previous: Option<u8>) -> Keys {
        let text = |byte| URL_SAFE_NO_PAD.encode([byte; 32]);
        Keys::new(&text(byte), &previous.map(text).unwrap_or_default()).unwrap()
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_device_is_known_to_its_account_only_and_survives_one_change_of_keys() {
        let (ann, ben) = (UserId::new(), UserId::new());
        let token = keys(1, None).device(ann, 0, at());
        assert_eq!(token.len(), 54);
        assert_eq!(keys(1, None).device_seen(ann, 0, &token), Some(at()));
        assert_eq!(keys(2, Some(1)).device_seen(ann, 0, &token), Some(at()));
        assert_eq!(keys(2, None).device_seen(ann, 0, &token), None);
        assert_eq!(keys(1, None).device_seen(ben, 0, &token), None);
        assert_eq!(keys(1, None).device_seen(ann, 1, &token), None, "another generation");
    }

    #[test]
    fn nobody_makes_a_token_younger_or_anothers() {
        let ann = UserId::new();
        let token = keys(1, None).device(ann, 3, at());
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            let forged = URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(keys(1, None).device_seen(ann, 3, &forged), None, "{place}");
            bytes[place] ^= 1;
        }
        let cut = URL_SAFE_NO_PAD.encode(&bytes[..TIME]);
        for wrong in ["", "AAAA", "%%%", &cut, &token[..52], &format!("{token}AA")] {
            assert_eq!(keys(1, None).device_seen(ann, 3, wrong), None, "{wrong}");
        }
    }
}
