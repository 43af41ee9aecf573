//! The two roles that exist from the start, and how a role is named and called.

/// May do everything; the source systems' role 1.
pub(crate) const ADMIN: &str = "admin";
/// Buys; the source systems' role 2.
pub(crate) const CUSTOMER: &str = "customer";

/// Whether `text` means the role of this name and number.
pub(crate) fn is_meant(name: &str, number: Option<u32>, text: &str) -> bool {
    let text = text.trim();
    text == name || number.is_some_and(|number| text == number.to_string())
}

/// 2 to 32 of a-z, 0-9 and _.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (2..=32).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for text in ["ab", "catalog_admin", "r2", &"x".repeat(32)] {
            assert!(is_name(text), "{text}");
        }
        for text in ["", "a", "Admin", "sales-1", "sales 1", "vendeur_é", &"x".repeat(33)] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn a_role_is_meant_by_name_or_number() {
        for text in ["admin", "1", " 1 "] {
            assert!(is_meant(ADMIN, Some(1), text), "{text}");
        }
        for text in ["", "2", "01", "Admin", "customer", "1.0"] {
            assert!(!is_meant(ADMIN, Some(1), text), "{text}");
        }
        assert!(!is_meant("clerk", None, "0"));
    }
}
