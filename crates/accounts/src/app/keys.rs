//! Everything that is derived from the one secret of this service.

use std::fmt;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};
use souk_auth::{AccessClaims, Jwks, SigningKey};
use souk_values::MailRequestId;
use subtle::ConstantTimeEq;

use crate::domain::code::meant;

mod device;
pub(crate) mod part;
mod seal;
mod subscriber;

/// The signing key, and keys for tags of what must not be stored as it is.
pub(crate) struct Keys {
    signing: SigningKey,
    seed: [u8; 32],
    /// Before the last change of keys.
    previous: Option<[u8; 32]>,
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

/// What a browser's cookie holds: made like a refresh token, and never taken for one.
pub(crate) struct SessionSecret(RefreshToken);

impl SessionSecret {
    /// Always drawn anew, never taken from a client: nobody is led into a session that another knows.
    pub(crate) fn random() -> Self {
        Self(RefreshToken::random())
    }

    /// `None`: no secret of ours looks like this.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        RefreshToken::parse(text).map(Self)
    }

    pub(crate) fn reveal(self) -> String {
        self.0.reveal()
    }

    /// What is stored.
    pub(crate) fn hash(&self) -> Vec<u8> {
        self.0.hash()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Keys {
    /// `previous_key` may be empty.
    pub(crate) fn new(signing_key: &str, previous_key: &str) -> anyhow::Result<Self> {
        let seed = read_seed("secrets.signing_key", signing_key)?;
        let previous = match previous_key {
            "" => None,
            key => Some(read_seed("secrets.previous_signing_key", key)?),
        };
        Ok(Self { signing: SigningKey::from_seed(&seed), seed, previous })
    }

    pub(crate) fn sign(&self, claims: &AccessClaims) -> String {
        self.signing.sign(claims)
    }

    /// What others verify by: today's key, and the one before it.
    pub(crate) fn jwks(&self) -> Jwks {
        let mut jwks = self.signing.jwks();
        if let Some(seed) = &self.previous {
            jwks.keys.extend(SigningKey::from_seed(seed).jwks().keys);
        }
        jwks
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

    /// What stands for a network whose failed logins are counted: nobody's address is kept.
    pub(crate) fn network(&self, network: &str) -> String {
        format!("net:{}", URL_SAFE_NO_PAD.encode(self.tag("network", network.as_bytes())))
    }

    /// What stands for a request that must be recognised when it comes again.
    pub(crate) fn request(&self, request: &[u8]) -> Vec<u8> {
        self.tag("request", request)
    }

    /// Eight characters of Crockford's base 32 (40 bits), to be typed from a letter. Derived, so that
    /// it is stored nowhere and a letter that is sent again says the same.
    pub(crate) fn code(&self, mail: MailRequestId) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let tag = self.tag("mail code", mail.uuid().as_bytes());
        let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
        tag.iter().take(8).map(letter).collect()
    }

    /// 256 bits in base64url, to be followed from a letter.
    pub(crate) fn link(&self, mail: MailRequestId) -> String {
        URL_SAFE_NO_PAD.encode(self.tag("mail link", mail.uuid().as_bytes()))
    }

    /// Whether this was typed from that letter. Without a letter: the same work, and never.
    pub(crate) fn is_code(&self, mail: Option<MailRequestId>, typed: &str) -> bool {
        let code = self.code(mail.unwrap_or_else(MailRequestId::new));
        let same = bool::from(code.as_bytes().ct_eq(meant(typed).as_bytes()));
        same && mail.is_some()
    }

    fn tag(&self, purpose: &str, text: &[u8]) -> Vec<u8> {
        Self::mac(&Self::purpose(&self.seed, purpose), &[text])
    }

    fn purpose(seed: &[u8; 32], purpose: &str) -> Vec<u8> {
        Self::mac(seed, &[b"souk accounts ", purpose.as_bytes()])
    }

    fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        Self::begin(key, parts).finalize().into_bytes().to_vec()
    }

    fn begin(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key fits");
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// What is stored of a link. 256 random bits need no salt and no slow hash.
pub(crate) fn link_hash(link: &str) -> Vec<u8> {
    Sha256::digest(link.as_bytes()).to_vec()
}

fn read_seed(name: &str, key: &str) -> anyhow::Result<[u8; 32]> {
    let bytes = URL_SAFE_NO_PAD.decode(key.trim_end_matches('='));
    let bytes = bytes.with_context(|| format!("{name} is not base64url"))?;
    bytes.try_into().map_err(|_| anyhow!("{name} must have 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::new(&URL_SAFE_NO_PAD.encode([byte; 32]), "").unwrap()
    }

    fn after_a_change(from: u8, to: u8) -> Keys {
        let [from, to] = [from, to].map(|byte| URL_SAFE_NO_PAD.encode([byte; 32]));
        Keys::new(&to, &from).unwrap()
    }

    #[test]
    fn both_keys_are_served_after_a_change() {
        let ids = |keys: &Keys| {
            let keys = keys.jwks().keys;
            keys.iter().map(|key| key.get("kid").unwrap().to_string()).collect::<Vec<_>>()
        };
        let [one, two] = [ids(&keys(1)), ids(&keys(2))];
        assert_eq!(ids(&after_a_change(1, 2)), [two, one].concat());
        assert!(Keys::new(&URL_SAFE_NO_PAD.encode([1; 32]), "short").is_err());
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
            let error = Keys::new(wrong, "").err().unwrap().to_string();
            assert!(error.contains("secrets.signing_key"), "{error}");
        }
    }
}
