//! How long sessions last, why they end, and what the use of a refresh token means.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

/// For so long a used refresh token may be shown again: the answer got lost, or two tabs asked at
/// once.
pub(crate) const GRACE: TimeDelta = TimeDelta::seconds(10);

/// A refresh token was shown that had been used before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// By its owner, most likely: the same successor is the answer.
    Repeated,
    /// By somebody who copied it, or by an owner who was overtaken by somebody who did: the session
    /// ends.
    Stolen,
}

pub(crate) fn judge(used_at: DateTime<Utc>, now: DateTime<Utc>) -> Reuse {
    if now - used_at <= GRACE { Reuse::Repeated } else { Reuse::Stolen }
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Without a visit, unless it is remembered.
    pub(crate) idle: TimeDelta,
    /// In all, of those who hold no permission.
    pub(crate) customer: TimeDelta,
    /// In all, of those who hold any.
    pub(crate) staff: TimeDelta,
}

impl Limits {
    /// When a session that began then is over at the latest.
    pub(crate) fn end(&self, began: DateTime<Utc>, is_staff: bool) -> DateTime<Utc> {
        began + if is_staff { self.staff.min(self.customer) } else { self.customer }
    }

    /// Whether nobody came for too long.
    pub(crate) fn is_idle(&self, used: DateTime<Utc>, remember: bool, now: DateTime<Utc>) -> bool {
        !remember && now - used >= self.idle
    }
}

/// Why sessions ended: the word of `SessionEnded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Logout,
    /// By their owner, from another device.
    Ended,
    /// For a newer one.
    Evicted,
    /// A refresh token came twice.
    Reused,
    Password,
    /// Another e-mail address, by its owner.
    Email,
    Role,
    /// The account was blocked, deactivated or deleted.
    Blocked,
    SecondFactor,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Ended => "ended",
            Self::Evicted => "evicted",
            Self::Reused => "reused",
            Self::Password => "password",
            Self::Email => "email",
            Self::Role => "role",
            Self::Blocked => "blocked",
            Self::SecondFactor => "second_factor",
        }
    }
}

/// The network of a client's address, for log and list: not one person's, but enough to see an
/// attack.
pub(crate) fn network(address: &str) -> Option<String> {
    match address.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_token_is_forgiven_for_ten_seconds() {
        let then = DateTime::UNIX_EPOCH;
        assert_eq!(judge(then, then), Reuse::Repeated);
        assert_eq!(judge(then, then + TimeDelta::seconds(10)), Reuse::Repeated);
        assert_eq!(judge(then, then + TimeDelta::milliseconds(10_001)), Reuse::Stolen);
    }

    const LIMITS: Limits = Limits {
        idle: TimeDelta::minutes(30),
        customer: TimeDelta::days(30),
        staff: TimeDelta::hours(12),
    };

    #[test]
    fn half_an_hour_without_a_visit_ends_what_is_not_remembered() {
        let then = DateTime::UNIX_EPOCH;
        let after = |seconds| then + TimeDelta::seconds(seconds);
        for (seconds, over) in
            [(0, false), (1795, false), (1799, false), (1800, true), (1805, true)]
        {
            assert_eq!(LIMITS.is_idle(then, false, after(seconds)), over, "{seconds}");
            assert!(!LIMITS.is_idle(then, true, after(seconds)));
        }
    }

    #[test]
    fn power_lasts_half_a_day_and_never_longer_than_customers() {
        let then = DateTime::UNIX_EPOCH;
        assert_eq!(LIMITS.end(then, true), then + TimeDelta::hours(12));
        assert_eq!(LIMITS.end(then, false), then + TimeDelta::days(30));
        let short = Limits { customer: TimeDelta::hours(1), ..LIMITS };
        assert_eq!(short.end(then, true), then + TimeDelta::hours(1));
    }

    #[test]
    fn addresses_are_logged_as_networks() {
        assert_eq!(network("203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(network("::ffff:203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(network("2001:db8:7:1::5").as_deref(), Some("2001:db8:7::/48"));
        assert_eq!(network("unknown"), None);
    }
}
