//! Card numbers where none belongs.

/// A card number has so many digits (ISO/IEC 7812).
const LEAST: usize = 13;
const MOST: usize = 19;
/// So many digits has a telephone number at most (E.164), without the plus sign.
const PHONE_MOST: usize = 15;
/// More signs between two groups of digits part two numbers.
const GAP_MOST: usize = 3;

/// Whether somewhere in `text` stands a card number: 13 to 19 digits, blanks, dashes, dots and
/// slashes between groups of them allowed, that pass Luhn's check. A number with a plus sign in
/// front is a telephone's.
pub fn looks_like_card(text: &str) -> bool {
    let mut run = Run::default();
    let mut before = ' ';
    for c in text.chars() {
        match digit(c) {
            Some(digit) => run.push(digit, before == '+'),
            None if is_gap(c) && run.gap < GAP_MOST => run.gap += 1,
            None => {
                if run.holds_card() {
                    return true;
                }
                run = Run::default();
            }
        }
        before = c;
    }
    run.holds_card()
}

/// Groups of digits that stand close together.
#[derive(Default)]
struct Run {
    digits: Vec<u8>,
    /// Where each group begins.
    starts: Vec<usize>,
    gap: usize,
    is_phone: bool,
}

impl Run {
    fn push(&mut self, digit: u8, after_plus: bool) {
        if self.digits.is_empty() {
            self.is_phone = after_plus;
        }
        if self.digits.is_empty() || self.gap > 0 {
            self.starts.push(self.digits.len());
        }
        self.digits.push(digit);
        self.gap = 0;
    }

    /// Whether whole groups side by side are a card number: a date or a code may stand beside it.
    fn holds_card(&self) -> bool {
        let is_phone = self.is_phone && self.digits.len() <= PHONE_MOST;
        let ends = || self.starts.iter().skip(1).copied().chain([self.digits.len()]);
        !is_phone
            && self.starts.iter().any(|&start| {
                ends()
                    .skip_while(|&end| end < start + LEAST)
                    .take_while(|&end| end <= start + MOST)
                    .any(|end| passes_luhn(&self.digits[start..end]))
            })
    }
}

/// ASCII and full-width digits.
fn digit(c: char) -> Option<u8> {
    let value = match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        '\u{ff10}'..='\u{ff19}' => u32::from(c) - 0xff10,
        _ => return None,
    };
    u8::try_from(value).ok()
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '.' | '_' | '/')
}

/// Luhn's check (ISO/IEC 7812-1 annex B); zeros alone are no number.
pub fn passes_luhn(digits: &[u8]) -> bool {
    let weigh = |(place, &digit): (usize, &u8)| match (place % 2, u32::from(digit)) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(weigh).sum();
    sum > 0 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_card_number_is_seen_however_it_is_written() {
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "please use 4242-4242-4242-4242, thanks",
            "4242 4242 4242 4242 12/34 123",
            "my card:378282246310005.",
            "3782 822463 10005",
            "4222222222222",
            "６０１１ 0000 0000 0004",
            "4\u{2011}2\u{2011}4\u{2011}2 4242 4242 4242",
            "12 4242424242424242",
            "5555\n5555\t5555 4444",
            "+4242424242424242",
        ] {
            assert!(looks_like_card(text), "{text:?}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "",
            "4242424242424241",
            "424242424242",
            "42424242424242424242",
            "0000000000000000",
            "order 4242 from the 4242",
            "+49 30 9018 20 4242",
            "1 Main Street, Apt 12-34",
            "4242 / / / / 4242 4242 4242",
        ] {
            assert!(!looks_like_card(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_looked_at(text in "\\PC{0,200}") {
            looks_like_card(&text);
        }

        #[test]
        fn every_number_that_passes_luhn_is_seen_among_words(
            body in proptest::collection::vec(0_u8..10, 12..18),
            first in 1_u8..10,
        ) {
            let mut digits = body;
            digits.insert(0, first);
            let check = (0..10).find(|check| passes_luhn(&[&digits[..], &[*check]].concat()));
            digits.extend(check);
            let number: String = digits.iter().map(ToString::to_string).collect();
            let text = format!("pay with {number} please");
            prop_assert!(looks_like_card(&text));
        }
    }
}
