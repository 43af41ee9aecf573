//! The link that ends a newsletter: signed, so that it is good as long as our keys, and stored
//! nowhere.
//!
//! `subscriber (16) | tag (16)` in base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use souk_values::SubscriberId;
use uuid::Uuid;

use super::Keys;

/// Bytes of the id, and of the tag.
const HALF: usize = 16;

impl Keys {
    /// What stands in the link of every newsletter to this subscriber.
    pub(crate) fn unsubscribe(&self, subscriber: SubscriberId) -> String {
        let id = subscriber.uuid();
        let tag = Self::mac(&Self::purpose(&self.seed, PURPOSE), &[id.as_bytes()]);
        let tag = tag.get(..HALF).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([id.as_bytes().as_slice(), tag].concat())
    }

    /// Who may be unsubscribed by this; signed by today's key or the one before.
    pub(crate) fn unsubscribes(&self, token: &str) -> Option<SubscriberId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, tag) = bytes.split_at_checked(HALF)?;
        if tag.len() != HALF {
            return None;
        }
        let is_signed = |seed: &[u8; 32]| {
            let mac = Self::begin(&Self::purpose(seed, PURPOSE), &[id]);
            hmac::Mac::verify_truncated_left(mac, tag).is_ok()
        };
        let known = is_signed(&self.seed) || self.previous.as_ref().is_some_and(is_signed);
        known.then(|| Uuid::from_slice(id).ok().map(SubscriberId::from_uuid)).flatten()
    }
}

const PURPOSE: &str = "newsletter unsubscribe";

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8, previous: Option<u8>) -> Keys {
        let text = |byte| URL_SAFE_NO_PAD.encode([byte; 32]);
        Keys::new(&text(byte), &previous.map(text).unwrap_or_default()).unwrap()
    }

    #[test]
    fn a_link_is_good_for_its_subscriber_and_survives_one_change_of_keys() {
        let (ann, ben) = (SubscriberId::new(), SubscriberId::new());
        let token = keys(1, None).unsubscribe(ann);
        assert_eq!(token.len(), 43);
        assert_eq!(token, keys(1, None).unsubscribe(ann));
        assert_ne!(token, keys(1, None).unsubscribe(ben));
        assert_eq!(keys(1, None).unsubscribes(&token), Some(ann));
        assert_eq!(keys(2, Some(1)).unsubscribes(&token), Some(ann));
        assert_eq!(keys(2, None).unsubscribes(&token), None);
    }

    #[test]
    fn nobody_makes_a_link_for_another() {
        let (ann, ben) = (SubscriberId::new(), SubscriberId::new());
        let token = keys(1, None).unsubscribe(ann);
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(keys(1, None).unsubscribes(&URL_SAFE_NO_PAD.encode(&bytes)), None, "{at}");
            bytes[at] ^= 1;
        }
        bytes[..HALF].copy_from_slice(ben.uuid().as_bytes());
        let forged = URL_SAFE_NO_PAD.encode(&bytes);
        let short = URL_SAFE_NO_PAD.encode(&bytes[..HALF]);
        for wrong in ["", "x", "%%%", &forged, &short, &format!("{token}AA"), &token[..42]] {
            assert_eq!(keys(1, None).unsubscribes(wrong), None, "{wrong}");
        }
    }
}
