//! Who may be sent the newsletter: words of a consent, how long its link waits, how often it is sent.

use chrono::{DateTime, TimeDelta, Utc};

/// The link to say yes is good for so long.
pub(crate) const LIFE: TimeDelta = TimeDelta::hours(48);
/// A record is kept so long after the consent has ended: to prove that there was one.
pub(crate) const ENDED_KEPT: TimeDelta = TimeDelta::days(3 * 365);
/// Letters to one address in [`WINDOW`]: whoever asks may be anybody.
const LETTERS: i64 = 3;
const WINDOW: TimeDelta = TimeDelta::hours(24);

/// What people agreed to, oldest first. A text that somebody was shown is never changed: a new one
/// is added.
const TEXTS: [(&str, &str); 1] = [(
    "2026-11",
    "Yes, send me the shop's newsletter by e-mail: news and products, now and then. I can end it at \
     any time by the link in every letter. My address is used for nothing else.",
)];

/// Where a consent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Asked for, not confirmed by the link yet.
    Pending,
    Confirmed,
    Ended,
}

impl Status {
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Confirmed, Self::Ended];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Ended => "ended",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Anybody, by a form.
    Form,
    /// In their account.
    Account,
}

impl How {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Account => "account",
        }
    }
}

/// Who ended it, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By the page behind the link of a letter.
    Link,
    /// By the button of a mail program.
    OneClick,
    Account,
    Staff,
}

impl End {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::OneClick => "one_click",
            Self::Account => "account",
            Self::Staff => "staff",
        }
    }
}

/// The version and the words that a form must show today.
pub(crate) fn text() -> (&'static str, &'static str) {
    let [.., newest] = TEXTS;
    newest
}

/// The version that was shown; empty is the newest. `None`: there never was such a text.
pub(crate) fn version(shown: &str) -> Option<&'static str> {
    if shown.is_empty() {
        return Some(text().0);
    }
    TEXTS.iter().map(|(version, _)| *version).find(|version| *version == shown)
}

/// How many letters asked an address for its consent, and since when they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letters {
    pub(crate) count: i64,
    pub(crate) since: DateTime<Utc>,
}

impl Letters {
    /// Whether another one may go; counts it if so.
    pub(crate) fn admit(&mut self, now: DateTime<Utc>) -> bool {
        if now >= self.since + WINDOW || now < self.since {
            *self = Self { count: 0, since: now };
        }
        let admitted = self.count < LETTERS;
        if admitted {
            self.count += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_its_word() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("none"), None);
    }

    #[test]
    fn a_consent_is_to_a_text_that_there_was() {
        assert_eq!(version(""), Some(text().0));
        assert_eq!(version(text().0), Some(text().0));
        assert_eq!(version("2020-01"), None);
        // who was shown this must find it unchanged
        let (version, words) = TEXTS[0];
        assert_eq!((version, words.len()), ("2026-11", 169));
    }

    #[test]
    fn an_address_is_asked_three_times_a_day() {
        let at = |hour: i64| DateTime::from_timestamp(1_800_000_000 + hour * 3600, 0).unwrap();
        let mut letters = Letters { count: 0, since: at(0) };
        assert_eq!((0..5).filter(|hour| letters.admit(at(*hour))).count(), 3);
        assert!(!letters.admit(at(23)));
        assert!(letters.admit(at(24)));
        assert_eq!(letters, Letters { count: 1, since: at(24) });
        // a clock that was set back shuts nobody out
        letters.count = 3;
        assert!(letters.admit(at(0)));
    }
}
