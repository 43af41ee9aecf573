//! Card numbers: read once, checked, forgotten.
use std::fmt;

use crate::domain::card::passes_luhn;

/// The digits of a card. Never printed, never stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CardNumber(String);

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// Why a text is no card number; says nothing of the digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("must be 13 to 19 digits")]
    Digits,
    #[error("is mistyped: its check digit does not fit")]
    Mistyped,
    #[error("is of no brand that is taken here")]
    Brand,
}

/// Prefixes from and to (of the same length), lengths, name.
type Range = (u32, u32, &'static [usize], &'static str);

/// Issuer ranges (ISO/IEC 7812).
const BRANDS: [Range; 15] = [
    (4, 4, &[13, 16, 19], "visa"),
    (51, 55, &[16], "mastercard"),
    (2221, 2720, &[16], "mastercard"),
    (34, 34, &[15], "amex"),
    (37, 37, &[15], "amex"),
    (6011, 6011, &[16, 17, 18, 19], "discover"),
    (644, 649, &[16, 17, 18, 19], "discover"),
    (65, 65, &[16, 17, 18, 19], "discover"),
    (300, 305, &[14, 15, 16, 17, 18, 19], "diners"),
    (3095, 3095, &[14, 15, 16, 17, 18, 19], "diners"),
    (36, 36, &[14, 15, 16, 17, 18, 19], "diners"),
    (38, 39, &[14, 15, 16, 17, 18, 19], "diners"),
    (3528, 3589, &[16, 17, 18, 19], "jcb"),
    (62, 62, &[16, 17, 18, 19], "unionpay"),
    (81, 81, &[16, 17, 18, 19], "unionpay"),
];

impl CardNumber {
    /// Blanks and dashes between digits are fine.
    pub(crate) fn parse(text: &str) -> Result<Self, NumberError> {
        let text: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let digits: Vec<u8> = text.bytes().map(|b| b.wrapping_sub(b'0')).collect();
        if !(13..=19).contains(&digits.len()) || digits.iter().any(|&d| d > 9) {
            return Err(NumberError::Digits);
        }
        if !passes_luhn(&digits) {
            return Err(NumberError::Mistyped);
        }
        let number = Self(text);
        number.range().map(|_| ()).ok_or(NumberError::Brand)?;
        Ok(number)
    }

    fn range(&self) -> Option<&'static Range> {
        BRANDS.iter().find(|(from, to, lengths, _)| {
            let width = from.to_string().len();
            let prefix = self.0.get(..width).and_then(|digits| digits.parse::<u32>().ok());
            prefix.is_some_and(|p| (*from..=*to).contains(&p)) && lengths.contains(&self.0.len())
        })
    }

    pub(crate) fn brand(&self) -> &'static str {
        self.range().map_or("unknown", |(.., brand)| brand)
    }

    pub(crate) fn last4(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default()
    }

    /// Digits of the code on the card.
    pub(crate) fn cvc_length(&self) -> usize {
        if self.brand() == "amex" { 4 } else { 3 }
    }

    /// Whether it is this documented number.
    pub(crate) fn is(&self, documented: &str) -> bool {
        self.0 == documented
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked_and_named_by_brand() {
        for (text, brand) in [
            ("4242424242424242", "visa"),
            ("4242 4242-4242 4242", "visa"),
            ("5555555555554444", "mastercard"),
            ("2223003122003222", "mastercard"),
            ("378282246310005", "amex"),
            ("6011111111111117", "discover"),
            ("3056930009020004", "diners"),
            ("36227206271667", "diners"),
            ("3566002020360505", "jcb"),
            ("6200000000000005", "unionpay"),
        ] {
            assert_eq!(CardNumber::parse(text).map(|n| n.brand()), Ok(brand), "{text}");
        }
        for (text, why) in [
            ("", NumberError::Digits),
            ("424242424242", NumberError::Digits),
            ("42424242424242424242", NumberError::Digits),
            ("4242a42424242424", NumberError::Digits),
            ("４２４２４２４２４２４２４２４２", NumberError::Digits),
            ("4242424242424241", NumberError::Mistyped),
            ("0000000000000000", NumberError::Mistyped),
            ("9999999999999995", NumberError::Brand),
        ] {
            assert_eq!(CardNumber::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_number_does_not_print() {
        let number = CardNumber::parse("4242424242424242").unwrap();
        assert_eq!(format!("{number:?} {:?}", Some(&number)), "**** Some(****)");
        assert_eq!(number.last4(), "4242");
    }
}
