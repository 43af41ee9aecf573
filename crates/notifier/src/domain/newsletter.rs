//! A newsletter: what it may say, and where it stands.
use serde::{Deserialize, Serialize};

/// Characters of a subject and of a text.
const SUBJECT_LIMIT: usize = 150;
const TEXT_LIMIT: usize = 20_000;
/// Products that stand below the text, if wanted.
pub const PRODUCTS: u32 = 5;
/// Seconds that sending may be put off.
pub const LONGEST_DELAY_S: u32 = 86_400;

/// Where a newsletter stands, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Draft,
    /// A job has it.
    Sending,
    Sent,
    /// The rest of the letters is never sent.
    Cancelled,
    /// Its job failed; it may be sent on.
    Failed,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Draft, Self::Sending, Self::Sent, Self::Cancelled, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// What somebody wants to change, or to begin with.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    pub subject: Option<String>,
    pub text: Option<String>,
    pub with_products: Option<bool>,
}

impl Fields {
    /// The same with every text in its own form, or all that is broken: field and sentence.
    pub fn checked(self) -> Result<Self, Vec<(&'static str, String)>> {
        let mut broken = Vec::new();
        let subject = self.subject.map(|subject| subject.trim().to_owned());
        let text = self.text.map(|text| text.replace("\r\n", "\n").trim().to_owned());
        if let Some(subject) = &subject
            && (!fits(subject, SUBJECT_LIMIT) || subject.chars().any(char::is_control))
        {
            let must = format!("must have 1 to {SUBJECT_LIMIT} printable characters");
            broken.push(("subject", must));
        }
        if let Some(text) = &text
            && (!fits(text, TEXT_LIMIT) || text.chars().any(|c| c.is_control() && c != '\n'))
        {
            let must = format!("must have 1 to {TEXT_LIMIT} printable characters");
            broken.push(("text", must));
        }
        if broken.is_empty() {
            Ok(Self { subject, text, with_products: self.with_products })
        } else {
            Err(broken)
        }
    }

    /// The same for a new one, which says something.
    pub fn complete(self) -> Result<Self, Vec<(&'static str, String)>> {
        let missing: Vec<_> = [("subject", self.subject.is_none()), ("text", self.text.is_none())]
            .into_iter()
            .filter(|(_, is_missing)| *is_missing)
            .map(|(field, _)| (field, "is required".to_owned()))
            .collect();
        match self.checked() {
            Ok(fields) if missing.is_empty() => Ok(fields),
            Ok(_) => Err(missing),
            Err(broken) => Err([missing, broken].concat()),
        }
    }
}

fn fits(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= 4 * limit && text.chars().count() <= limit
}

/// A product below the text, as it was when sending began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `prd_…`
    pub id: String,
    pub name: String,
    /// `39.99 EUR`
    pub price: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_what_it_prints() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("lost"), None);
    }

    #[test]
    fn everything_broken_is_named_at_once() {
        let fields = |subject: &str, text: &str| Fields {
            subject: Some(subject.to_owned()),
            text: Some(text.to_owned()),
            with_products: None,
        };
        let named = |result: Result<Fields, Vec<(&'static str, String)>>| {
            let broken = result.err().unwrap_or_default();
            broken.into_iter().map(|(field, _)| field).collect::<Vec<_>>()
        };
        let good = fields(" Tea is here ", "Hello\r\n\r\nNew tea.\n").complete().unwrap();
        assert_eq!(good.subject.as_deref(), Some("Tea is here"));
        assert_eq!(good.text.as_deref(), Some("Hello\n\nNew tea."));
        assert!(fields(&"é".repeat(150), &"é".repeat(20_000)).complete().is_ok());
        assert_eq!(named(Fields::default().complete()), ["subject", "text"]);
        assert!(Fields::default().checked().is_ok());
        for (subject, text, broken) in [
            ("", "x", vec!["subject"]),
            ("a\nBcc: x@evil.example", "x", vec!["subject"]),
            ("x", "  ", vec!["text"]),
            ("x", "nul\0", vec!["text"]),
            ("\t", "", vec!["subject", "text"]),
        ] {
            assert_eq!(named(fields(subject, text).checked()), broken, "{subject:?} {text:?}");
        }
        assert_eq!(named(fields(&"x".repeat(151), &"x".repeat(20_001)).checked()).len(), 2);
    }
}
