//! How one process of ours knows another without TLS: a token of 60 s, HMAC-SHA256 over name,
//! audience and expiry.
//!
//! `v1.<from>.<to>.<expiry>.<mac>`: expiry in seconds since the epoch, the MAC of all before its
//! dot in base64url.
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use souk_values::Clock;

use crate::token::LEEWAY_S;

const LIFETIME_S: i64 = 60;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the service token is not valid")]
pub struct ServiceTokenError;

/// Makes and checks service tokens with the secret all processes share.
pub struct ServiceTokens {
    key: hmac::Key,
    clock: Clock,
}

impl ServiceTokens {
    /// The secret should have 32 random bytes or more.
    pub fn new(secret: &[u8], clock: Clock) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), clock }
    }

    /// A token by which `to` knows that `from` is calling. Names hold no dots.
    pub fn issue(&self, from: &str, to: &str) -> String {
        let expiry = self.clock.now().timestamp() + LIFETIME_S;
        let mut token = format!("v1.{from}.{to}.{expiry}");
        let mac = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut token);
        token
    }

    /// The name of the calling service.
    pub fn verify(&self, token: &str, to: &str) -> Result<Arc<str>, ServiceTokenError> {
        let (signed, mac) = token.rsplit_once('.').ok_or(ServiceTokenError)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| ServiceTokenError)?;
        // in constant time, and before anything else is believed
        hmac::verify(&self.key, signed.as_bytes(), &mac).map_err(|_| ServiceTokenError)?;
        let mut parts = signed.split('.');
        let (version, from, audience) = (parts.next(), parts.next(), parts.next());
        let expiry: Option<i64> = parts.next().and_then(|e| e.parse().ok());
        let (Some(from), Some(expiry), None) = (from, expiry, parts.next()) else {
            return Err(ServiceTokenError);
        };
        let now = self.clock.now().timestamp();
        // issued in the future: a clock is wrong, and the token would live too long
        let in_time = now < expiry + LEEWAY_S && expiry <= now + LIFETIME_S + LEEWAY_S;
        if version == Some("v1") && audience == Some(to) && in_time && !from.is_empty() {
            Ok(from.into())
        } else {
            Err(ServiceTokenError)
        }
    }
}

impl fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceTokens(***)")
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};

    use super::*;

    fn tokens() -> (ServiceTokens, Clock) {
        let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        (ServiceTokens::new(b"a secret of thirty-two bytes, yes", clock.clone()), clock)
    }

    #[test]
    fn a_token_names_its_sender_to_its_audience_only() {
        let (tokens, _) = tokens();
        let token = tokens.issue("gateway", "catalog");
        assert!(token.starts_with("v1.gateway.catalog.1800000060."), "{token}");
        assert_eq!(tokens.verify(&token, "catalog").as_deref(), Ok("gateway"));
        assert_eq!(tokens.verify(&token, "accounts"), Err(ServiceTokenError));
    }

    #[test]
    fn a_token_ends_after_a_minute_and_the_leeway() {
        let (tokens, clock) = tokens();
        let token = tokens.issue("gateway", "catalog");
        clock.advance(Duration::seconds(64));
        assert!(tokens.verify(&token, "catalog").is_ok());
        clock.advance(Duration::seconds(1));
        assert_eq!(tokens.verify(&token, "catalog"), Err(ServiceTokenError));
    }

    #[test]
    fn a_token_from_the_future_is_refused() {
        let (tokens, clock) = tokens();
        clock.advance(Duration::seconds(6));
        let token = tokens.issue("gateway", "catalog");
        clock.advance(Duration::seconds(-6));
        assert_eq!(tokens.verify(&token, "catalog"), Err(ServiceTokenError));
    }

    #[test]
    fn every_changed_byte_and_every_other_secret_breaks_it() {
        let (tokens, clock) = tokens();
        let token = tokens.issue("gateway", "catalog");
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(tokens.verify(&changed, "catalog"), Err(ServiceTokenError), "{changed}");
        }
        let other = ServiceTokens::new(b"another secret", clock);
        assert_eq!(other.verify(&token, "catalog"), Err(ServiceTokenError));
        for bad in
            ["", ".", "v1", "v1.gateway.catalog.1800000060", "v1.gateway.catalog.1800000060."]
        {
            assert_eq!(tokens.verify(bad, "catalog"), Err(ServiceTokenError), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_never_printed() {
        assert_eq!(format!("{:?}", tokens().0), "ServiceTokens(***)");
    }
}
