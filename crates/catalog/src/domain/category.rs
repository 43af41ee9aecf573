//! A category is named by the path of its slugs: `phones/refurbished`.
use std::fmt;

use souk_values::Slug;

/// One to five slugs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CategoryPath(String);

const MAX_DEPTH: usize = 5;

impl CategoryPath {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > MAX_DEPTH {
            return Err("must have at most 5 levels");
        }
        if parts.iter().any(|part| Slug::parse(part).is_err()) {
            return Err("must be slugs separated by \"/\", such as \"phones/refurbished\"");
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes one from words of people: "Home & Garden > Candles" becomes "home-garden/candles".
    pub(crate) fn from_words(text: &str) -> Option<Self> {
        let parts: Vec<String> = text
            .split(['>', '/'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .take(MAX_DEPTH)
            .map(|part| Slug::from_name(part).to_string())
            .collect();
        (!parts.is_empty()).then(|| Self(parts.join("/")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// All but the last level.
    pub(crate) fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Itself and everything above it, top first.
    pub(crate) fn lineage(&self) -> Vec<Self> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.map(|end| Self(self.0[..end].to_owned())).collect()
    }

    /// A name for people made of the last slug: "home-garden" becomes "Home garden".
    pub(crate) fn title(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default().replace('-', " ");
        let mut chars = last.chars();
        chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
    }
}

impl fmt::Display for CategoryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_slugs_with_slashes() {
        assert!(CategoryPath::parse("phones/used-phones").is_ok());
        for bad in ["", "/", "a/", "A", "a//b", "a/b/c/d/e/f"] {
            assert!(CategoryPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_become_a_path_with_its_lineage() {
        let path = CategoryPath::from_words("Home & Garden > Candles").unwrap();
        assert_eq!(path.as_str(), "home-garden/candles");
        assert_eq!(path.parent().unwrap().as_str(), "home-garden");
        assert_eq!(path.lineage().len(), 2);
        assert_eq!(path.title(), "Candles");
        assert_eq!(CategoryPath::from_words(" > "), None);
    }
}
