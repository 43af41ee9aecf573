//! Stock keeping units: free text by which a shop knows an article.
use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// 1 to 500 characters after trimming, compared exactly; no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sku(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SkuError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most 500 characters")]
    TooLong,
    #[error("must not contain control characters")]
    Control,
}

impl Sku {
    pub fn parse(text: &str) -> Result<Self, SkuError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SkuError::Empty);
        }
        if text.chars().count() > 500 {
            return Err(SkuError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(SkuError::Control);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form in which two texts are the same to a person: NFKC, lower case.
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_fine_within_bounds() {
        for ok in ["85123A", "a/b c", "ÄÖ-手机", &"x".repeat(500)] {
            assert_eq!(Sku::parse(ok).unwrap().as_str(), ok);
        }
        assert_eq!(Sku::parse("  A1 ").unwrap().as_str(), "A1");
        assert_eq!(Sku::parse(" "), Err(SkuError::Empty));
        assert_eq!(Sku::parse(&"x".repeat(501)), Err(SkuError::TooLong));
        assert_eq!(Sku::parse("a\0b"), Err(SkuError::Control));
    }
}
