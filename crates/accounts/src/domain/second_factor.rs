//! The rules of a second factor: what somebody typed, how long it counts, who may do what without.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// For so long a second factor counts as just given.
pub(crate) const FRESH: TimeDelta = TimeDelta::minutes(5);
/// A secret must be confirmed in this time.
pub(crate) const PENDING: TimeDelta = TimeDelta::minutes(15);
/// So many recovery codes there are.
pub(crate) const RECOVERY_CODES: usize = 10;
/// So many characters each of them has: 50 bits.
pub(crate) const RECOVERY_LENGTH: usize = 10;

/// Crockford's base 32: nobody confuses two of these.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What somebody typed as a second factor. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Six digits of the app.
    App(String),
    /// A recovery code, in the form in which it was shown.
    Recovery(String),
}

impl Typed {
    /// Case, spaces and hyphens do not count, nor an O for a 0 or an I or L for a 1.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let plain = |c: &char| !c.is_whitespace() && *c != '-';
        let text: String = text.chars().filter(plain).map(|c| c.to_ascii_uppercase()).collect();
        if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(Self::App(text));
        }
        let text = text.replace('O', "0").replace(['I', 'L'], "1");
        let is_recovery =
            text.len() == RECOVERY_LENGTH && text.bytes().all(|b| ALPHABET.contains(&b));
        is_recovery.then_some(Self::Recovery(text))
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A recovery code of random bytes; five bits of each count.
pub(crate) fn recovery_code(random: [u8; RECOVERY_LENGTH]) -> String {
    let letter = |byte: u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'0');
    random.into_iter().map(|byte| char::from(letter(byte))).collect()
}

/// What a session may do, as far as the second factor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Until when a second factor counts as just given, seconds since the epoch; 0: it does not.
    pub(crate) fresh_until: i64,
    /// It may enrol a second factor and do nothing else.
    pub(crate) enrol_only: bool,
}

impl Standing {
    /// `given_at`: when this session saw a second factor last. Where none is asked for, whoever
    /// holds the token is fresh as long as it (`expires_at`).
    pub(crate) fn of(
        enrolled: bool,
        required: bool,
        given_at: Option<DateTime<Utc>>,
        expires_at: i64,
    ) -> Self {
        match (enrolled, required) {
            (true, _) => Self {
                fresh_until: given_at.map_or(0, |at| (at + FRESH).timestamp()),
                enrol_only: false,
            },
            (false, true) => Self { fresh_until: 0, enrol_only: true },
            (false, false) => Self { fresh_until: expires_at, enrol_only: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_spelled() {
        let app = |digits: &str| Some(Typed::App(digits.to_owned()));
        for text in ["123456", " 123 456 ", "123-456"] {
            assert_eq!(Typed::parse(text), app("123456"), "{text}");
        }
        let recovery = Some(Typed::Recovery("0123ABCDE1".to_owned()));
        for text in ["0123ABCDE1", "0123-abcde-l", "o123 abcde i"] {
            assert_eq!(Typed::parse(text), recovery, "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_none() {
        let long = "1".repeat(65);
        for text in [
            "",
            "12345",
            "1234567",
            "+12345",
            "12345a",
            "１２３４５６",
            "0123ABCDEU",
            "0123ABCDE12",
            &long,
        ] {
            assert_eq!(Typed::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_recovery_code_reads_back_and_does_not_print() {
        let code = recovery_code([0, 31, 32, 63, 255, 10, 20, 30, 40, 50]);
        assert_eq!(code, "0Z0ZZAMY8J");
        let typed = Typed::parse(&code).unwrap();
        assert_eq!(typed, Typed::Recovery(code));
        assert_eq!(format!("{typed:?}"), "***");
    }

    #[test]
    fn who_has_one_is_fresh_for_five_minutes_and_who_must_have_one_can_only_enrol() {
        let at = DateTime::from_timestamp(1000, 0);
        let standing = |fresh_until, enrol_only| Standing { fresh_until, enrol_only };
        for (enrolled, required, given_at, expected) in [
            (true, true, at, standing(1300, false)),
            (true, false, at, standing(1300, false)),
            (true, false, None, standing(0, false)),
            (false, true, None, standing(0, true)),
            (false, true, at, standing(0, true)),
            (false, false, None, standing(9000, false)),
        ] {
            assert_eq!(Standing::of(enrolled, required, given_at, 9000), expected);
        }
    }
}
