//! Passwords that everybody tries first. Where they come from: `data/README.md`.

use std::sync::LazyLock;

/// Folded, sorted by their bytes, of at least eight characters.
static COMMON: LazyLock<Vec<&str>> =
    LazyLock::new(|| include_str!("../../data/common_passwords.txt").lines().collect());

/// Whether the folded form of a password is one of them.
pub(crate) fn is_common(folded: &str) -> bool {
    COMMON.binary_search(&folded).is_ok()
}

#[cfg(test)]
mod tests {
    use souk_values::fold;

    use super::*;

    #[test]
    fn the_list_is_long_sorted_and_folded() {
        assert_eq!(COMMON.len(), 10_000);
        assert!(COMMON.is_sorted_by(|one, next| one < next));
        for word in COMMON.iter() {
            assert!(word.chars().count() >= 8 && fold(word) == *word, "{word}");
        }
    }

    #[test]
    fn what_everybody_tries_is_on_it() {
        for common in ["password", "12345678", "iloveyou", "1qaz2wsx", "zzzzzzz1"] {
            assert!(is_common(common), "{common}");
        }
        for rare in ["", "correct horse battery", "passwor", "Password"] {
            assert!(!is_common(rare), "{rare}");
        }
    }
}
