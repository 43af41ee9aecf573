//! Access tokens: EdDSA JWTs (RFC 9068, RFC 8725), issued by accounts, verified by whoever acts.
use std::sync::LazyLock;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use crate::{User, keys::TOKEN_TYPE};

/// Clocks of two machines may differ by this much (seconds).
pub(crate) const LEEWAY_S: i64 = 5;
/// Longer ones are refused unread.
pub(crate) const MAX_BYTES: usize = 8 * 1024;

/// What an access token says. `iss` and `aud` are "souk".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub sid: String,
    pub role: String,
    pub perms: Vec<String>,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
    pub jti: String,
    /// Until when a second factor counts as just given, seconds since the epoch.
    #[serde(default)]
    pub fresh: i64,
    /// The holder must enrol a second factor and may do nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enrol: bool,
    /// Given for an API key: a program holds it, not the person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
}

impl AccessClaims {
    /// `iss` and `aud` of every token.
    pub const SOUK: &'static str = "souk";
    /// Seconds a token may live at most, `exp - iat`; longer ones are refused, so that what was
    /// revoked can be forgotten after this time.
    pub const MAX_LIFETIME_S: i64 = 3600;
}

#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Broken, forged, expired, for somebody else: the caller is told no more.
    #[error("the access token is not valid")]
    Invalid,
    /// The keys could not be fetched: nothing was decided.
    #[error("tokens cannot be checked at the moment")]
    Unavailable,
}

/// Times are checked below by our own clock; jsonwebtoken would ask the machine's.
static VALIDATION: LazyLock<Validation> = LazyLock::new(|| {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_issuer(&[AccessClaims::SOUK]);
    rules.set_audience(&[AccessClaims::SOUK]);
    rules.set_required_spec_claims(&["iss", "aud", "sub"]);
    rules.validate_exp = false;
    rules
});

/// The `kid` of a token that is worth a look at its signature. Headers that name a key of the
/// sender's choice (`jwk`, `jku`, `x5u`, `x5c`) or demand what we do not know (`crit`) are refused.
pub(crate) fn key_id(token: &str) -> Result<String, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let foreign = header.jwk.is_some()
        || header.jku.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.crit.is_some();
    let ours = header.alg == Algorithm::EdDSA && header.typ.as_deref() == Some(TOKEN_TYPE);
    match header.kid {
        Some(kid) if ours && !foreign => Ok(kid),
        _ => Err(TokenError::Invalid),
    }
}

/// Signature, issuer, audience, times and types.
pub(crate) fn check(token: &str, key: &DecodingKey, now: i64) -> Result<Checked, TokenError> {
    let data = jsonwebtoken::decode::<AccessClaims>(token, key, &VALIDATION);
    let claims = data.map_err(|_| TokenError::Invalid)?.claims;
    let in_time = claims.nbf <= now + LEEWAY_S
        && claims.exp > now - LEEWAY_S
        && claims.exp.saturating_sub(claims.iat) <= AccessClaims::MAX_LIFETIME_S;
    let (Ok(id), Ok(session), true) = (claims.sub.parse(), claims.sid.parse(), in_time) else {
        return Err(TokenError::Invalid);
    };
    // a newer accounts may grant what this process does not know yet
    let permissions = claims.perms.iter().filter_map(|p| p.parse().ok()).collect();
    let user = User {
        id,
        session,
        role: claims.role,
        permissions,
        expires_at: claims.exp,
        fresh_until: claims.fresh,
        enrol_only: claims.enrol,
        by_key: claims.key,
    };
    Ok(Checked { user, issued_at: claims.iat })
}

/// A person whose token was found good.
pub(crate) struct Checked {
    pub(crate) user: User,
    /// Seconds since the epoch.
    pub(crate) issued_at: i64,
}
