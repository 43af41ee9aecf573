//! What an address in somebody's book may be.

use souk_values::{is_country, looks_like_card};

/// So many addresses a book holds.
pub(crate) const MAX: usize = 50;

/// An address as its owner wrote it.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) company: String,
    pub(crate) line1: String,
    pub(crate) line2: String,
    pub(crate) city: String,
    pub(crate) region: String,
    pub(crate) postal_code: String,
    pub(crate) country: String,
    pub(crate) phone: String,
    pub(crate) is_default: bool,
}

/// Why a field is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FieldError {
    #[error("must have at most {0} characters")]
    TooLong(usize),
    #[error("must have 1 to {0} characters")]
    Length(usize),
    #[error("must be one line of printable characters")]
    Control,
    #[error("must not hold a card number")]
    Card,
    #[error("must be a country code of ISO 3166-1, such as DE")]
    Country,
}

impl Fields {
    /// Trims every field; every broken one is named.
    pub(crate) fn checked(mut self) -> Result<Self, Vec<(&'static str, FieldError)>> {
        let mut broken = Vec::new();
        for (field, text, needed, most) in [
            ("label", &mut self.label, false, 50),
            ("name", &mut self.name, true, 200),
            ("company", &mut self.company, false, 200),
            ("line1", &mut self.line1, true, 200),
            ("line2", &mut self.line2, false, 200),
            ("city", &mut self.city, true, 100),
            ("region", &mut self.region, false, 100),
            ("postal_code", &mut self.postal_code, false, 20),
            ("phone", &mut self.phone, false, 40),
        ] {
            *text = text.trim().to_owned();
            if let Err(error) = check_line(text, needed, most) {
                broken.push((field, error));
            }
        }
        self.country = self.country.trim().to_ascii_uppercase();
        if !is_country(&self.country) {
            broken.push(("country", FieldError::Country));
        }
        if broken.is_empty() { Ok(self) } else { Err(broken) }
    }
}

fn check_line(text: &str, needed: bool, most: usize) -> Result<(), FieldError> {
    // bytes first: counting 100 kB of characters is wasted
    let too_long = text.len() > 4 * most || text.chars().count() > most;
    if too_long || (needed && text.is_empty()) {
        return Err(if needed { FieldError::Length(most) } else { FieldError::TooLong(most) });
    }
    if text.chars().any(char::is_control) {
        return Err(FieldError::Control);
    }
    if looks_like_card(text) { Err(FieldError::Card) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields {
            name: " Ann Lee".into(),
            line1: "1 Main Street".into(),
            city: "Berlin".into(),
            country: "de".into(),
            ..Fields::default()
        }
    }

    #[test]
    fn an_address_is_kept_in_one_form() {
        let kept = fields().checked().ok().unwrap();
        assert_eq!((kept.name.as_str(), kept.country.as_str()), ("Ann Lee", "DE"));
    }

    #[test]
    fn every_broken_field_is_named() {
        let wrong = Fields {
            label: "x".repeat(51),
            line1: "y".repeat(100_000),
            line2: "4242 4242 4242 4242".into(),
            city: "Ber\nlin".into(),
            country: "Germany".into(),
            name: "  ".into(),
            ..fields()
        };
        let broken = wrong.checked().err().unwrap();
        let expected = [
            ("label", FieldError::TooLong(50)),
            ("name", FieldError::Length(200)),
            ("line1", FieldError::Length(200)),
            ("line2", FieldError::Card),
            ("city", FieldError::Control),
            ("country", FieldError::Country),
        ];
        assert_eq!(broken, expected);
    }
}
