//! Who may not come in: networks as they are written, and what a block must say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

/// Wider networks hold too many people who did nothing.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 32;
/// The last moment that a block may name, from now.
const LONGEST: TimeDelta = TimeDelta::days(36_525);

/// The actor of blocks that nobody decided.
pub(crate) const BRAKE: &str = "brake";
/// Who lifts a block whose time is over.
pub(crate) const END: &str = "end";

/// An address or a network in its one spelling: no bits behind the prefix, IPv4 never inside IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    prefix: u8,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NetworkError {
    #[error("must be an address or a network such as 203.0.113.0/24 or 2001:db8::/64")]
    Unreadable,
    #[error("must not be wider than /{WIDEST_V4}, or /{WIDEST_V6} of IPv6")]
    TooWide,
}

impl Network {
    /// An address or `address/prefix`, not too wide to be blocked.
    pub(crate) fn parse(text: &str) -> Result<Self, NetworkError> {
        let network: Self = text.trim().parse()?;
        let widest = if network.base.is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
        // every address of IPv4 lies in one network of IPv6
        if network.prefix < widest || network.overlaps(&Self::MAPPED) {
            return Err(NetworkError::TooWide);
        }
        Ok(network)
    }

    const MAPPED: Self =
        Self { base: IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), prefix: 96 };

    /// The network whose guesses are counted together, and which the brake blocks: /24, and /64 of
    /// IPv6.
    pub(crate) fn around(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::new(address, if address.is_ipv4() { 24 } else { 64 })
    }

    /// What one client may be anywhere in: its address, or a whole /64 of IPv6.
    fn of_client(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self::new(address, if address.is_ipv4() { 32 } else { 64 })
    }

    fn new(address: IpAddr, prefix: u8) -> Self {
        let base = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { base, prefix }
    }

    /// Whether a client at this address would be shut out.
    pub(crate) fn shuts_out(&self, address: IpAddr) -> bool {
        self.overlaps(&Self::of_client(address))
    }

    /// Loopback, link-local and private networks: behind them stand proxies and ourselves.
    pub(crate) fn is_internal(&self) -> bool {
        match self.base {
            IpAddr::V4(v4) => {
                let [a, b, ..] = v4.octets();
                let shared = a == 100 && (64..128).contains(&b);
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || a == 0 || shared
            }
            IpAddr::V6(v6) => {
                let [first, rest @ ..] = v6.segments();
                let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
                // `::/64` holds the loopback address and the unspecified one
                local || (first == 0 && rest.iter().take(3).all(|&segment| segment == 0))
            }
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        if self.base.is_ipv4() != other.base.is_ipv4() {
            return false;
        }
        let shorter = self.prefix.min(other.prefix);
        Self::new(self.base, shorter).base == Self::new(other.base, shorter).base
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Unreadable)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => whole,
            Some(digits) => {
                let plain = (1..=3).contains(&digits.len())
                    && digits.bytes().all(|b| b.is_ascii_digit())
                    && (digits.len() == 1 || !digits.starts_with('0'));
                let prefix = digits.parse().ok().filter(|_| plain);
                prefix.filter(|&p: &u8| p <= whole).ok_or(NetworkError::Unreadable)?
            }
        };
        match (address, address.to_canonical()) {
            // written as IPv6, meant as IPv4
            (IpAddr::V6(_), IpAddr::V4(v4)) => match prefix.checked_sub(96) {
                Some(prefix) => Ok(Self::new(IpAddr::V4(v4), prefix)),
                None => Err(NetworkError::TooWide),
            },
            _ => Ok(Self::new(address, prefix)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// 1 to 200 characters that can be printed.
pub(crate) fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is required");
    }
    if text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err("must have at most 200 printable characters");
    }
    Ok(text.to_owned())
}

/// The end of a block, in microseconds since the epoch; 0: none.
pub(crate) fn until(us: i64, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, &'static str> {
    if us == 0 {
        return Ok(None);
    }
    match DateTime::from_timestamp_micros(us) {
        Some(until) if until <= now => Err("must be in the future"),
        Some(until) if until - now <= LONGEST => Ok(Some(until)),
        _ => Err("must be within 100 years"),
    }
}

/// How the end is told: `2026-11-28T12:00:00Z`.
pub(crate) fn spelled(until: DateTime<Utc>) -> String {
    until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, NetworkError> {
        Network::parse(text).map(|network| network.to_string())
    }

    #[test]
    fn a_network_has_one_spelling() {
        for (text, spelled) in [
            ("203.0.113.9", "203.0.113.9/32"),
            (" 203.0.113.9/24 ", "203.0.113.0/24"),
            ("203.0.113.255/25", "203.0.113.128/25"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:DB8:0:0::5", "2001:db8::5/128"),
            ("2001:db8:1:2:3::/64", "2001:db8:1:2::/64"),
            ("2001:db8:ffff::/32", "2001:db8::/32"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.9/120", "203.0.113.0/24"),
            ("::ffff:cb00:7109/128", "203.0.113.9/32"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(spelled), "{text}");
            assert_eq!(parsed(spelled).as_deref(), Ok(spelled));
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "shop",
            "203.0.113",
            "203.0.113.9/",
            "203.0.113.9/33",
            "203.0.113.9/-1",
            "203.0.113.9/+8",
            "203.0.113.9/08",
            "203.0.113.9/24/24",
            "203.0.113.9/24 24",
            "203.0.113.09",
            "2001:db8::/129",
            "2001:db8::/1000",
            "2001:db8::%eth0",
            "1",
        ] {
            assert_eq!(parsed(text), Err(NetworkError::Unreadable), "{text}");
        }
        for text in [
            "0.0.0.0/0",
            "10.0.0.0/7",
            "::/0",
            "2001::/31",
            "::ffff:0.0.0.0/96",
            "::ffff:10.0.0.0/103",
            "::ffff:10.0.0.0/95",
            "::/32",
            "::/80",
        ] {
            assert_eq!(parsed(text), Err(NetworkError::TooWide), "{text}");
        }
    }

    #[test]
    fn a_network_shuts_out_those_within_and_the_neighbors_of_one_customer() {
        let shuts_out = |network: &str, address: &str| {
            Network::parse(network).unwrap().shuts_out(address.parse().unwrap())
        };
        assert!(shuts_out("203.0.113.0/24", "203.0.113.255"));
        assert!(shuts_out("203.0.113.0/24", "::ffff:203.0.113.1"));
        assert!(!shuts_out("203.0.113.0/24", "203.0.114.0"));
        assert!(!shuts_out("203.0.113.9", "203.0.113.8"));
        assert!(shuts_out("2001:db8::/32", "2001:db8:7::1"));
        assert!(!shuts_out("2001:db8::/32", "2001:db9::1"));
        // an address that the admin's machine may have tomorrow
        assert!(shuts_out("2001:db8::7", "2001:db8::9"));
        assert!(!shuts_out("2001:db8::7", "2001:db8:0:1::9"));
        assert!(!shuts_out("2001:db8::/32", "203.0.113.9"));
    }

    #[test]
    fn guesses_are_counted_by_24_and_64() {
        let around = |text: &str| Network::around(text.parse().unwrap()).to_string();
        assert_eq!(around("203.0.113.9"), "203.0.113.0/24");
        assert_eq!(around("::ffff:203.0.113.9"), "203.0.113.0/24");
        assert_eq!(around("2001:db8:1:2:3::9"), "2001:db8:1:2::/64");
    }

    #[test]
    fn our_own_networks_are_known() {
        let internal = |text: &str| Network::around(text.parse().unwrap()).is_internal();
        for text in [
            "127.0.0.1",
            "10.9.8.7",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(internal(text), "{text}");
        }
        for text in ["203.0.113.9", "172.32.0.1", "100.128.0.1", "2001:db8::1", "8.8.8.8"] {
            assert!(!internal(text), "{text}");
        }
    }

    #[test]
    fn a_reason_is_a_short_line() {
        assert_eq!(reason(" spam "), Ok("spam".to_owned()));
        assert_eq!(reason(&"ä".repeat(200)).map(|text| text.chars().count()), Ok(200));
        for wrong in ["", "  ", "a\nb", &"ä".repeat(201)] {
            assert!(reason(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_end_lies_ahead() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let us = |seconds: i64| (now + TimeDelta::seconds(seconds)).timestamp_micros();
        assert_eq!(until(0, now), Ok(None));
        assert_eq!(until(us(1), now), Ok(Some(now + TimeDelta::seconds(1))));
        for wrong in [-1, 1, us(-1), us(0), us(101 * 366 * 86_400), i64::MAX, i64::MIN] {
            assert!(until(wrong, now).is_err(), "{wrong}");
        }
        assert_eq!(spelled(now), "2027-01-15T08:00:00Z");
    }
}
