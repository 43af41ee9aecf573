//! Signatures of webhooks: `t=UNIX,v1=HEX`, HMAC-SHA256 over `UNIX.BODY`. Stripe's scheme, and the
//! test provider's.
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::payment::TOLERANCE;

/// The header's value for this body.
pub(super) fn sign(secret: &[u8], body: &[u8], now: DateTime<Utc>) -> String {
    let time = now.timestamp();
    format!("t={time},v1={}", hex(&mac(secret, &time.to_string(), body)))
}

/// Whether the secret's owner signed this body within the tolerance. Several `v1` may stand there
/// while a secret is being changed.
pub(super) fn holds(header: &str, secret: &[u8], body: &[u8], now: DateTime<Utc>) -> bool {
    if secret.is_empty() || header.len() > 4096 {
        return false;
    }
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let Some((_, time)) = parts().find(|(name, _)| *name == "t") else { return false };
    let Ok(seconds) = time.parse::<i64>() else { return false };
    let tolerance = i64::try_from(TOLERANCE.as_secs()).unwrap_or(i64::MAX);
    let fresh = now.timestamp().checked_sub(seconds).is_some_and(|age| age.abs() <= tolerance);
    let expected = hex(&mac(secret, time, body));
    let mut signed = false;
    for (_, given) in parts().filter(|(name, _)| *name == "v1") {
        signed |= bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
    }
    fresh && signed
}

fn mac(secret: &[u8], time: &str, body: &[u8]) -> Vec<u8> {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any key fits");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn a_known_signature_is_recomputed() {
        // printf '1800000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let signed = sign(b"whsec_test", br#"{"id":"evt_1"}"#, now());
        let hex = "45705be2a45ab5acdd1395cc695e9e7073125385ec24194921c401dff44176f8";
        assert_eq!(signed, format!("t=1800000000,v1={hex}"));
    }

    #[test]
    fn what_the_owner_signed_just_now_holds() {
        let body = b"body";
        let signed = sign(b"secret", body, now());
        assert!(holds(&signed, b"secret", body, now()));
        assert!(holds(&format!("{signed},v0=x"), b"secret", body, now()));
        assert!(holds(&signed.replace("v1=", "v1=00,v1="), b"secret", body, now()));
        for seconds in [-300, 300] {
            assert!(holds(&signed, b"secret", body, now() + TimeDelta::seconds(seconds)));
        }
    }

    #[test]
    fn everything_else_does_not() {
        let body = b"body";
        let signed = sign(b"secret", body, now());
        for seconds in [-301, 301] {
            assert!(!holds(&signed, b"secret", body, now() + TimeDelta::seconds(seconds)));
        }
        assert!(!holds(&signed, b"other", body, now()));
        assert!(!holds(&signed, b"secret", b"bodY", now()));
        assert!(!holds(&sign(b"", body, now()), b"", body, now()), "no secret, no webhooks");
        let moved = signed.replace("t=1800000000", "t=1800000001");
        let upper = signed.to_uppercase();
        let huge = format!("t={},{}", i64::MIN, &signed[13..]);
        for forged in
            ["", "t=", "t=1800000000", "t=1800000000,v1=", &signed[13..], &moved, &upper, &huge]
        {
            assert!(!holds(forged, b"secret", body, now()), "{forged}");
        }
    }
}
