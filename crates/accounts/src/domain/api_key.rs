//! What a program's key may be called, and how long it lasts.

use chrono::TimeDelta;

/// So many good keys an account may have.
pub(crate) const MAX: u64 = 20;
/// The longest life of a token that a key is exchanged for, in seconds.
pub(crate) const TOKEN_LIFE_S: i64 = 60;
/// Days of a key whose maker did not say.
const DAYS: u32 = 90;
const MOST_DAYS: u32 = 365;
const LONGEST_NAME: usize = 100;

/// 1 to 100 printable characters.
pub(crate) fn name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let too_long = text.len() > 4 * LONGEST_NAME || text.chars().count() > LONGEST_NAME;
    if text.is_empty() || too_long || text.chars().any(char::is_control) {
        return Err("must have 1 to 100 printable characters");
    }
    Ok(text.to_owned())
}

/// 0 is the default.
pub(crate) fn life(days: u32) -> Result<TimeDelta, &'static str> {
    match days {
        0 => Ok(TimeDelta::days(i64::from(DAYS))),
        1..=MOST_DAYS => Ok(TimeDelta::days(i64::from(days))),
        _ => Err("must be 1 to 365"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line_of_printable_characters() {
        assert_eq!(name("  CI  ").as_deref(), Ok("CI"));
        assert!(name(&"é".repeat(100)).is_ok());
        for wrong in ["", "  ", "a\nb", &"é".repeat(101)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_lasts_ninety_days_or_up_to_a_year() {
        for (days, expected) in [(0, Some(90)), (1, Some(1)), (365, Some(365)), (366, None)] {
            assert_eq!(life(days).ok(), expected.map(TimeDelta::days), "{days}");
        }
    }
}
