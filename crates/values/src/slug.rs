//! Slugs: the readable part of an address in the shop.
use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// 1 to 200 characters: lower-case letters (any script), digits and single hyphens between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be 1 to 200 lower-case letters, digits and single hyphens")]
pub struct SlugError;

impl Slug {
    pub const MAX: usize = 200;

    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let fine = !text.is_empty()
            && text.chars().count() <= Self::MAX
            && text.split('-').all(|part| {
                !part.is_empty()
                    && part.chars().all(|c| c.is_alphanumeric() && c.to_lowercase().eq([c]))
            });
        if fine { Ok(Self(text.to_owned())) } else { Err(SlugError) }
    }

    /// Makes one from a name: "Café Crème!" becomes "cafe-creme". Nothing usable gives "item".
    pub fn from_name(name: &str) -> Self {
        let mut out = String::new();
        for c in name.nfkd().flat_map(char::to_lowercase).nfkd() {
            if out.chars().count() >= Self::MAX - 20 {
                break;
            }
            if c.is_alphanumeric() && c.to_lowercase().eq([c]) {
                out.push(c);
            } else if c.is_ascii() && !out.is_empty() && !out.ends_with('-') && c != '\'' {
                out.push('-');
            }
        }
        let out = out.trim_matches('-');
        Self(if out.is_empty() { "item".to_owned() } else { out.to_owned() })
    }

    /// The same with a number behind, for when it is taken.
    pub fn numbered(&self, n: u64) -> Self {
        Self(format!("{}-{n}", self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_slugs() {
        for (name, slug) in [
            ("Café Crème!", "cafe-creme"),
            ("  WHITE HANGING HEART T-LIGHT HOLDER", "white-hanging-heart-t-light-holder"),
            ("Men's shirt", "mens-shirt"),
            ("手机 12", "手机-12"),
            ("???", "item"),
        ] {
            assert_eq!(Slug::from_name(name).as_str(), slug);
        }
    }

    #[test]
    fn only_slugs_are_slugs() {
        for bad in ["", "A", "a--b", "-a", "a-", "a b", "a/b", "a_b", &"x".repeat(201)] {
            assert_eq!(Slug::parse(bad), Err(SlugError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_made_of_any_name_is_a_slug(name in ".*", n in 0_u64..u64::MAX) {
            let slug = Slug::from_name(&name);
            prop_assert!(Slug::parse(slug.as_str()).is_ok(), "{}", slug);
            prop_assert!(Slug::parse(slug.numbered(n).as_str()).is_ok());
        }
    }
}
