//! Settings of the notifier: how mail leaves, and when it waits.
use std::time::Duration;

use chrono::TimeDelta;
use lettre::message::Mailbox;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use souk_service::{Secret, Settings, Validate};

use crate::domain::newsletter::LONGEST_DELAY_S;

/// Letters about own orders that one buyer gets in an hour, unless settings say otherwise.
pub const ORDER_LETTERS_PER_HOUR: u32 = 20;

/// Everything this crate can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The section `mail` of the settings.
    pub mail: MailSettings,
    /// The section `ses` of the settings.
    pub ses: SesSettings,
    pub digest: DigestSettings,
    pub newsletter: NewsletterSettings,
    /// Whether administrators are told of new orders.
    pub order_notices: bool,
    /// Letters about own orders that one buyer gets in an hour.
    pub order_letters_per_hour: u32,
    /// Letters on their way at once.
    pub concurrency: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mail: MailSettings::default(),
            ses: SesSettings::default(),
            digest: DigestSettings::default(),
            newsletter: NewsletterSettings::default(),
            order_notices: true,
            order_letters_per_hour: ORDER_LETTERS_PER_HOUR,
            concurrency: 8,
        }
    }
}

/// Which way letters leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderKind {
    /// `.eml` files in `DATA/mail/`.
    #[default]
    Folder,
    Smtp,
    Ses,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailSettings {
    pub sender: SenderKind,
    /// `Name <address>` or an address: who letters are from.
    pub from: String,
    /// `smtp://user:password@host:port` (add `?tls=required` for STARTTLS) or `smtps://…`.
    pub smtp_url: Secret,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            sender: SenderKind::default(),
            from: "Souk <notices@souk.local>".to_owned(),
            smtp_url: Secret::default(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SesSettings {
    /// Empty: as the AWS SDK finds it (`AWS_REGION`, profile, instance).
    pub region: String,
    /// Instead of the region's own endpoint.
    pub endpoint: String,
    /// Empty: none.
    pub configuration_set: String,
    /// Of newsletters; empty: as the others.
    pub newsletter_configuration_set: String,
    /// Both keys empty: as the AWS SDK finds them (environment, profile, task role).
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    /// Letters a second, as SES grants them to the account.
    pub max_send_rate: u32,
    /// A letter of which it is not known whether SES or SMTP took it is sent again after that.
    pub unknown_after: Period,
}

impl Default for SesSettings {
    fn default() -> Self {
        Self {
            region: String::new(),
            endpoint: String::new(),
            configuration_set: String::new(),
            newsletter_configuration_set: String::new(),
            access_key_id: Secret::default(),
            secret_access_key: Secret::default(),
            max_send_rate: 14,
            unknown_after: Period::seconds(90),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DigestSettings {
    /// Changes a minute that each get a letter of their own, for each recipient.
    pub threshold: u32,
    /// How long a digest collects.
    pub window: Period,
}

impl Default for DigestSettings {
    fn default() -> Self {
        Self { threshold: 20, window: Period::seconds(60) }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewsletterSettings {
    /// Seconds before a newsletter begins to go out, in which it can be cancelled.
    pub delay_s: u32,
    /// Letters a minute, so that others are not kept waiting.
    pub per_minute: u32,
}

impl Default for NewsletterSettings {
    fn default() -> Self {
        Self { delay_s: 15, per_minute: 600 }
    }
}

impl NewsletterSettings {
    /// Between two letters.
    pub(crate) fn gap(&self) -> TimeDelta {
        TimeDelta::microseconds(60_000_000 / i64::from(self.per_minute.max(1)))
    }
}

/// A length of time in settings: a whole number and `ms`, `s`, `m` or `h`, such as `"60s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(Duration);

impl Period {
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
    pub const fn duration(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        number.checked_mul(ms).map(|ms| Self(Duration::from_millis(ms)))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sentence = || D::Error::custom(format!("{text:?} is not a period such as \"60s\""));
        Self::parse(&text).ok_or_else(sentence)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ms = self.0.as_millis();
        let text =
            if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") };
        serializer.serialize_str(&text)
    }
}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        self.check()
    }
}

impl Config {
    fn check(&self) -> Result<(), String> {
        let within = |name: &str, period: Period, least: u64, most: u64| {
            let seconds = period.duration().as_secs_f64();
            if seconds < least as f64 || seconds > most as f64 {
                return Err(format!("{name} must be between {least}s and {most}s"));
            }
            Ok(())
        };
        if self.mail.from.parse::<Mailbox>().is_err() {
            return Err("mail.from must be an address or `Name <address>`".to_owned());
        }
        let smtp = self.mail.smtp_url.reveal();
        if self.mail.sender == SenderKind::Smtp
            && !(smtp.starts_with("smtp://") || smtp.starts_with("smtps://"))
        {
            return Err("mail.smtp_url must begin with smtp:// or smtps://".to_owned());
        }
        if self.ses.access_key_id.is_empty() != self.ses.secret_access_key.is_empty() {
            let both = "ses.access_key_id and ses.secret_access_key must be set together";
            return Err(both.to_owned());
        }
        let endpoint = self.ses.endpoint.as_str();
        if !(endpoint.is_empty()
            || endpoint.starts_with("http://")
            || endpoint.starts_with("https://"))
        {
            return Err("ses.endpoint must begin with http:// or https://".to_owned());
        }
        if !(1..=10_000).contains(&self.ses.max_send_rate) {
            return Err("ses.max_send_rate must be between 1 and 10000".to_owned());
        }
        if !(1..=64).contains(&self.concurrency) {
            return Err("notifier.concurrency must be between 1 and 64".to_owned());
        }
        if !(1..=10_000).contains(&self.order_letters_per_hour) {
            return Err("notifier.order_letters_per_hour must be between 1 and 10000".to_owned());
        }
        if self.digest.threshold > 1000 {
            return Err("notifier.digest.threshold must be at most 1000".to_owned());
        }
        if self.newsletter.delay_s > LONGEST_DELAY_S {
            return Err(format!("notifier.newsletter.delay_s must be at most {LONGEST_DELAY_S}"));
        }
        if !(1..=60_000).contains(&self.newsletter.per_minute) {
            return Err("notifier.newsletter.per_minute must be between 1 and 60000".to_owned());
        }
        within("notifier.digest.window", self.digest.window, 1, 86_400)?;
        within("notifier.ses.unknown_after", self.ses.unknown_after, 1, 3_600)
    }
}

#[cfg(test)]
mod tests;
