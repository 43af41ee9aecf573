//! Ed25519 keys: signing (accounts) and the public set (RFC 7517, RFC 8037).
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

/// The `typ` of access tokens (RFC 9068).
pub(crate) const TOKEN_TYPE: &str = "at+jwt";

/// A private key. Never printed.
pub struct SigningKey {
    secret: EncodingKey,
    /// The public key as in a JWK: base64url.
    x: String,
    id: String,
}

impl SigningKey {
    /// From 32 secret bytes.
    #[allow(clippy::expect_used, reason = "every 32 bytes are a seed (RFC 8032 5.1.5)")]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        crate::provider::install();
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let id = thumbprint(&x);
        Self { secret: EncodingKey::from_ed_der(seed), x, id }
    }

    /// RFC 7638 thumbprint of the public key; the `kid` of tokens.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The JWT of these claims, header `{alg: EdDSA, typ: at+jwt, kid}`.
    #[allow(clippy::expect_used, reason = "texts and whole numbers always fit into JSON")]
    pub fn sign(&self, claims: &crate::AccessClaims) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.secret).expect("claims are JSON")
    }

    /// The public half. While keys change hands, serve the old and the new one together.
    pub fn jwks(&self) -> Jwks {
        let key = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "x": self.x,
            "kid": self.id, "use": "sig", "alg": "EdDSA",
        });
        Jwks { keys: vec![key] }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A JWK Set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Jwks {
    pub keys: Vec<serde_json::Value>,
}

/// RFC 7638: the required members in the order of their names, without blanks.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A: key and thumbprint.
    #[test]
    fn key_and_thumbprint_are_those_of_the_standard() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_seed(&seed.try_into().unwrap());
        assert_eq!(key.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.key_id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_signing_key_prints_only_its_id() {
        let printed = format!("{:?}", SigningKey::from_seed(&[7; 32]));
        assert!(printed.starts_with("SigningKey { id: \"") && printed.ends_with("\", .. }"));
        assert!(
            !printed.contains("secret") && !printed.contains('7'.to_string().repeat(3).as_str())
        );
    }
}
