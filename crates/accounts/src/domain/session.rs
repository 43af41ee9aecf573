//! What the use of a refresh token means.

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

/// The network of a client's address, for the log: not one person's, but enough to see an attack.
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

    #[test]
    fn addresses_are_logged_as_networks() {
        assert_eq!(network("203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(network("::ffff:203.0.113.9").as_deref(), Some("203.0.113.0/24"));
        assert_eq!(network("2001:db8:7:1::5").as_deref(), Some("2001:db8:7::/48"));
        assert_eq!(network("unknown"), None);
    }
}
