//! Codes of authenticator apps: RFC 6238 with SHA-1, six digits, thirty seconds. What every app
//! understands.

use chrono::{DateTime, Utc};
use rand::Rng;
use totp_rs::{Builder, Secret, Totp};

use crate::Error;

/// 160 bits, as RFC 4226 recommends.
const BYTES: usize = 20;

/// The secret that an app and we share. Prints nothing of it.
pub(super) struct AppSecret(Vec<u8>);

impl AppSecret {
    pub(super) fn random() -> Self {
        let mut bytes = vec![0; BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// To be typed into an app.
    pub(super) fn base32(&self) -> String {
        Secret::from(self.0.clone()).to_base32()
    }

    /// To be drawn for an app's camera.
    pub(super) fn uri(&self, issuer: &str, account: &str) -> Result<String, Error> {
        // a colon stands between the two
        let issuer = Some(issuer.replace(':', " ")).filter(|issuer| !issuer.trim().is_empty());
        let named = self.builder().with_issuer(issuer).with_account_name(account.replace(':', " "));
        let uri = named.build().and_then(|totp| totp.to_url());
        uri.map_err(|error| Error::SecondFactor(error.into()))
    }

    /// The time step whose code this is: now, or the one before or after, for clocks that differ.
    pub(super) fn step(&self, digits: &str, now: DateTime<Utc>) -> Result<Option<i64>, Error> {
        let step = self.totp()?.check(digits, u64::try_from(now.timestamp()).unwrap_or_default());
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    fn builder(&self) -> Builder {
        Builder::new()
            .with_secret(self.0.clone())
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(30)
    }

    fn totp(&self) -> Result<Totp, Error> {
        self.builder().build().map_err(|error| Error::SecondFactor(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of the eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn secret() -> AppSecret {
        AppSecret::from_bytes(b"12345678901234567890".to_vec())
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (second, digits) in VECTORS {
            assert_eq!(secret().step(digits, at(second)).unwrap(), Some(second / 30), "{digits}");
        }
        assert_eq!(secret().step("287083", at(59)).unwrap(), None);
    }

    #[test]
    fn a_code_counts_one_step_before_and_after_its_own() {
        let (second, digits) = VECTORS[3];
        let begin = second / 30 * 30;
        for (now, good) in
            [(begin - 31, false), (begin - 30, true), (begin + 59, true), (begin + 60, false)]
        {
            let expected = good.then_some(second / 30);
            assert_eq!(secret().step(digits, at(now)).unwrap(), expected, "{now}");
        }
    }

    #[test]
    fn an_app_can_read_the_secret() {
        let (one, other) = (AppSecret::random(), AppSecret::random());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(secret().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = secret().uri("Lantern: & Co", "ann").unwrap();
        assert!(uri.starts_with("otpauth://totp/Lantern%20%20%26%20Co:ann?secret=GEZDG"), "{uri}");
        assert!(uri.contains("issuer=Lantern"), "{uri}");
        assert!(secret().uri("", "ann").unwrap().starts_with("otpauth://totp/ann?"));
    }
}
