//! Ed25519 keys: signing (accounts) and the public set (RFC 7517, RFC 8037).
use serde::{Deserialize, Serialize};

/// A private key. Never printed.
pub struct SigningKey {}

impl SigningKey {
    /// From 32 secret bytes.
    pub fn from_seed(_seed: &[u8; 32]) -> Self {
        todo!()
    }
    /// RFC 7638 thumbprint of the public key; the `kid` of tokens.
    pub fn key_id(&self) -> &str {
        todo!()
    }
    /// The JWT of these claims, header `{alg: EdDSA, typ: at+jwt, kid}`.
    pub fn sign(&self, _claims: &crate::AccessClaims) -> String {
        todo!()
    }
    pub fn jwks(&self) -> Jwks {
        todo!()
    }
}

/// A JWK Set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Jwks {
    pub keys: Vec<serde_json::Value>,
}
