//! E-mail addresses as people write them (a subset of RFC 5321 §4.1.2: no quoting, no literals).
use std::fmt;

/// A plausible address. `Debug` masks it, so that it cannot reach a log by habit.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not an e-mail address")]
pub struct EmailError;

impl EmailAddress {
    /// Trims; the domain is put in lower case, the local part is kept as written.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
        let label_ok = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let domain_ok =
            domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label_ok);
        if local_ok && domain_ok && text.len() <= 254 {
            Ok(Self(format!("{local}@{}", domain.to_lowercase())))
        } else {
            Err(EmailError)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two addresses are the same person: NFKC, lower case.
    pub fn folded(&self) -> String {
        crate::sku::fold(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, domain) = self.0.split_once('@').unwrap_or(("", ""));
        write!(f, "{}…@{domain}", local.chars().take(1).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plausible_addresses_are_taken_and_others_not() {
        for ok in ["a@b.co", " Ann.Lee+x@Shop.Example ", "o'neil@x.org", "админ@почта.рф"]
        {
            assert!(EmailAddress::parse(ok).is_ok(), "{ok}");
        }
        for bad in
            ["", "a", "a@b", "@b.co", "a@", "a b@c.de", "a@b..co", "a@-b.co", ".a@b.co", "a\0@b.co"]
        {
            assert_eq!(EmailAddress::parse(bad), Err(EmailError), "{bad}");
        }
    }

    #[test]
    fn debug_masks_the_person() {
        let address = EmailAddress::parse("ann@shop.example").unwrap();
        assert_eq!(format!("{address:?}"), "a…@shop.example");
    }
}
