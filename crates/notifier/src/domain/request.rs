//! Letters that accounts asks for: which there are, and what accounts says when one is sent.
//!
//! Codes and links of such letters are in memory only, from the answer of accounts to the carrier.
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::text::one_line;

/// Characters of a name or a fact; more is cut.
const TEXT_LIMIT: usize = 200;
/// Characters of a link; a longer one is none.
const LINK_LIMIT: usize = 1_000;
/// Facts that a letter tells.
const FACT_LIMIT: usize = 20;

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    RegistrationCode,
    Welcome,
    /// Somebody tried to register the address of the reader.
    AddressInUse,
    PasswordReset,
    PasswordChanged,
    /// To the new address.
    EmailChangeCode,
    /// To the old address: somebody asked for a new one.
    EmailChangeNotice,
    /// To the old address: it counts no more.
    EmailChanged,
    NewDevice,
    SessionEnded,
    Blocked,
    Unblocked,
    SecondFactorChanged,
    NewsletterConfirm,
    /// The file with all that is kept of the reader is there.
    ExportReady,
    /// All that names the reader will be erased.
    ErasureRequested,
    ErasureCancelled,
    /// The last one: it ends the list of all.
    Test,
}

/// What makes a letter secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    None,
    /// To be typed.
    Code,
    /// To be followed.
    Link,
}

impl Kind {
    pub const ALL: [Self; Self::Test as usize + 1] = [
        Self::RegistrationCode,
        Self::Welcome,
        Self::AddressInUse,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::EmailChangeCode,
        Self::EmailChangeNotice,
        Self::EmailChanged,
        Self::NewDevice,
        Self::SessionEnded,
        Self::Blocked,
        Self::Unblocked,
        Self::SecondFactorChanged,
        Self::NewsletterConfirm,
        Self::ExportReady,
        Self::ErasureRequested,
        Self::ErasureCancelled,
        Self::Test,
    ];

    /// Letters that go out also when the account closed meanwhile: they tell of that, or of what
    /// its owner must know all the same.
    pub const OUTLIVING: [Self; 4] =
        [Self::RegistrationCode, Self::EmailChanged, Self::SessionEnded, Self::Blocked];

    /// The word of `souk.accounts.v1.Mail`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationCode => "registration_code",
            Self::Welcome => "welcome",
            Self::AddressInUse => "address_in_use",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChangeCode => "email_change_code",
            Self::EmailChangeNotice => "email_change_notice",
            Self::EmailChanged => "email_changed",
            Self::NewDevice => "new_device",
            Self::SessionEnded => "session_ended",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::NewsletterConfirm => "newsletter_confirm",
            Self::ExportReady => "export_ready",
            Self::ErasureRequested => "erasure_requested",
            Self::ErasureCancelled => "erasure_cancelled",
            Self::Test => "test",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// As the ledger names it: `account.welcome`.
    pub fn event(self) -> String {
        format!("account.{}", self.as_str())
    }

    /// What [`event`](Self::event) printed.
    pub fn of_event(text: &str) -> Option<Self> {
        Self::parse(text.strip_prefix("account.")?)
    }

    pub fn secret(self) -> Secret {
        match self {
            Self::RegistrationCode | Self::EmailChangeCode => Secret::Code,
            Self::PasswordReset | Self::NewsletterConfirm => Secret::Link,
            _ => Secret::None,
        }
    }

    /// Whether it goes to an address that nobody has proven to be theirs: a stranger may have
    /// chosen the name, so the letter does not say it.
    pub fn is_to_unproven(self) -> bool {
        matches!(self, Self::RegistrationCode | Self::EmailChangeCode | Self::NewsletterConfirm)
    }
}

/// What accounts says of a letter at the time of sending.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub email: String,
    pub name: String,
    pub code: String,
    /// Path and query below the shop's public address.
    pub link: String,
    /// Names and values.
    pub facts: Vec<(String, String)>,
    /// Used, expired or replaced meanwhile.
    pub obsolete: bool,
    /// Of code and link.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Without the person and the secrets.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(***)")
    }
}

impl Mail {
    /// Every text on one line and cut to its bound; what is no path is no link.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.name = one_line(&self.name, TEXT_LIMIT);
        self.code = one_line(&self.code, TEXT_LIMIT);
        let link = self.link.as_str();
        let is_path = link.starts_with('/') && link.bytes().all(|b| b.is_ascii_graphic());
        if !is_path || link.len() > LINK_LIMIT {
            self.link.clear();
        }
        self.facts.truncate(FACT_LIMIT);
        for (name, value) in &mut self.facts {
            *name = one_line(name, TEXT_LIMIT);
            *value = one_line(value, TEXT_LIMIT);
        }
        self
    }

    /// Whether it holds the secret without which the letter is worth nothing.
    pub fn is_complete(&self, kind: Kind) -> bool {
        match kind.secret() {
            Secret::None => true,
            Secret::Code => !self.code.is_empty(),
            Secret::Link => !self.link.is_empty(),
        }
    }

    /// Whether nobody should get it any more.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.obsolete || self.expires_at.is_some_and(|end| now >= end)
    }
}

/// A time in words: `21 November 2026, 14:05 UTC`.
pub fn in_words(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A time as accounts tells it, in words: RFC 3339 or microseconds since the epoch. Anything else
/// stays as it is.
pub fn time_in_words(text: &str) -> String {
    let at = match text.parse::<i64>() {
        Ok(micros) => DateTime::from_timestamp_micros(micros),
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
    };
    at.map_or_else(|| text.to_owned(), in_words)
}

/// How long something asked for at `since` is good: `15 minutes, until 14:05 UTC`. Counted from
/// then, not from now: a letter that is sent again says the same.
pub fn good_for(since: DateTime<Utc>, end: DateTime<Utc>) -> String {
    let minutes = ((end - since) + TimeDelta::seconds(30)).num_minutes().max(1);
    let (number, unit) = match minutes {
        ..120 => (minutes, "minute"),
        120..2_880 => ((minutes + 30) / 60, "hour"),
        _ => ((minutes + 720) / 1_440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    let until = if minutes < 1_440 { end.format("%H:%M UTC").to_string() } else { in_words(end) };
    format!("{number} {unit}{plural}, until {until}")
}

#[cfg(test)]
mod tests;
