//! Everything that is derived from the one secret of this service.

use std::fmt;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};
use souk_auth::{AccessClaims, Jwks, SigningKey};

/// The signing key, and keys for tags of what must not be stored as it is.
pub(crate) struct Keys {
    signing: SigningKey,
    seed: [u8; 32],
}

/// A refresh token as its owner holds it: 32 bytes in base64url. Prints as `***`.
pub(crate) struct RefreshToken(String);

impl RefreshToken {
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `None`: no token of ours looks like this.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    pub(crate) fn reveal(self) -> String {
        self.0
    }

    /// What is stored. 256 random bits need no salt and no slow hash.
    pub(crate) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Keys {
    pub(crate) fn new(signing_key: &str) -> anyhow::Result<Self> {
        let bytes = URL_SAFE_NO_PAD
            .decode(signing_key.trim_end_matches('='))
            .context("secrets.signing_key is not base64url")?;
        let seed: [u8; 32] =
            bytes.try_into().map_err(|_| anyhow!("secrets.signing_key must have 32 bytes"))?;
        Ok(Self { signing: SigningKey::from_seed(&seed), seed })
    }

    pub(crate) fn sign(&self, claims: &AccessClaims) -> String {
        self.signing.sign(claims)
    }

    pub(crate) fn jwks(&self) -> Jwks {
        self.signing.jwks()
    }

    /// The token that follows this one. Derived, not drawn: whoever repeats a rotation whose answer
    /// got lost gets the same token again, and it need not be stored for that.
    pub(crate) fn successor(&self, token: &RefreshToken) -> RefreshToken {
        RefreshToken(URL_SAFE_NO_PAD.encode(self.tag("refresh", token.0.as_bytes())))
    }

    /// What stands for a login that nobody has: people type passwords into the wrong field.
    pub(crate) fn stranger(&self, login: &str) -> String {
        format!("stranger:{}", URL_SAFE_NO_PAD.encode(self.tag("stranger", login.as_bytes())))
    }

    /// What stands for a request that must be recognised when it comes again.
    pub(crate) fn request(&self, request: &[u8]) -> Vec<u8> {
        self.tag("request", request)
    }

    fn tag(&self, purpose: &str, text: &[u8]) -> Vec<u8> {
        let key = Self::mac(&self.seed, &[b"souk accounts ", purpose.as_bytes()]);
        Self::mac(&key, &[text])
    }

    fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key fits");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::new(&URL_SAFE_NO_PAD.encode([byte; 32])).unwrap()
    }

    #[test]
    fn a_token_has_one_successor_that_only_this_key_can_tell() {
        let token = RefreshToken::random();
        let next = keys(1).successor(&token);
        assert_eq!(next.hash(), keys(1).successor(&token).hash());
        assert_ne!(next.hash(), keys(2).successor(&token).hash());
        assert_ne!(next.hash(), token.hash());
        assert!(RefreshToken::parse(&next.reveal()).is_some());
    }

    #[test]
    fn tokens_are_random_and_do_not_print() {
        let (one, other) = (RefreshToken::random(), RefreshToken::random());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(format!("{one:?}"), "***");
        for rubbish in ["", "short", &"x".repeat(44), &"?".repeat(43)] {
            assert!(RefreshToken::parse(rubbish).is_none(), "{rubbish}");
        }
    }

    #[test]
    fn one_tag_never_stands_for_another_purpose() {
        let keys = keys(1);
        assert_ne!(keys.tag("request", b"x"), keys.tag("stranger", b"x"));
        assert_ne!(keys.request(b"x"), keys.request(b"y"));
    }

    #[test]
    fn a_key_of_another_length_is_refused_with_its_name() {
        for wrong in ["", "c2hvcnQ", "%%%"] {
            let error = Keys::new(wrong).err().unwrap().to_string();
            assert!(error.contains("secrets.signing_key"), "{error}");
        }
    }
}
