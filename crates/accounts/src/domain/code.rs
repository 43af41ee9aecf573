//! Codes that are typed from a letter, and links that are followed from one.

use chrono::TimeDelta;

/// So long a code or a link is good.
pub(crate) const LIFE: TimeDelta = TimeDelta::minutes(15);
/// Codes that are heard; after the last one none is right any more.
pub(crate) const TRIES: i64 = 5;

/// What somebody meant who typed this, in the alphabet of the codes (Crockford's base 32): capitals,
/// without spaces and hyphens, and no letters that look like digits.
pub(crate) fn meant(typed: &str) -> String {
    let letters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let meant = letters.map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    });
    meant.collect()
}

/// How many codes are still heard after so many.
pub(crate) fn left(tries: i64) -> u32 {
    u32::try_from(TRIES - tries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        for typed in ["10AB-CD0Z", "1oab cdoz", " LOAB\tCDOZ ", "ioabcd0z", "10ABCD0Z"] {
            assert_eq!(meant(typed), "10ABCD0Z", "{typed}");
        }
        assert_ne!(meant("10ABCDUZ"), "10ABCD0Z");
        assert_eq!(meant(""), "");
    }

    #[test]
    fn five_codes_are_heard() {
        assert_eq!([0, 1, 4, 5, 6].map(left), [5, 4, 1, 0, 0]);
    }
}
