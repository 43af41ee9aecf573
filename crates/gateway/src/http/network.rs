//! Networks as they are written in settings and blocks.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

/// An address or a network: `203.0.113.0/24`, `2001:db8::/64`, `198.51.100.7`. IPv4 never inside of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// It is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkError;

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not an address or a network such as 203.0.113.0/24 or 2001:db8::/64")
    }
}

impl std::error::Error for NetworkError {}

impl Network {
    /// The network of this prefix around an address; bits behind the prefix do not count.
    pub(crate) fn around(address: IpAddr, prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(four) => {
                let prefix = prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                let base = IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() & mask));
                Self { base, prefix }
            }
            IpAddr::V6(six) => {
                let prefix = prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                let base = IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & mask));
                Self { base, prefix }
            }
        }
    }

    /// The first address and the last.
    pub(crate) fn bounds(&self) -> (IpAddr, IpAddr) {
        let last = match self.base {
            IpAddr::V4(four) => {
                let rest = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() | rest))
            }
            IpAddr::V6(six) => {
                let rest = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() | rest))
            }
        };
        (self.base, last)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4()
            && Self::around(address, self.prefix).base == self.base
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = match prefix {
            None => whole,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|p| *p <= whole).ok_or(NetworkError)?
            }
            Some(_) => return Err(NetworkError),
        };
        match (address, address.to_canonical()) {
            // written as IPv6, meant as IPv4
            (IpAddr::V6(_), four @ IpAddr::V4(_)) => {
                let prefix = prefix.checked_sub(96).ok_or(NetworkError)?;
                Ok(Self::around(four, prefix))
            }
            _ => Ok(Self::around(address, prefix)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|e| D::Error::custom(format!("{text:?} {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_hold_their_addresses() {
        for (text, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.9/24", "203.0.113.1", "::"),
            ("198.51.100.7", "198.51.100.7", "198.51.100.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/64", "2001:db8::ffff:1", "2001:db8:0:1::"),
            ("::1", "::1", "::2"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"),
            ("::ffff:192.0.2.0/120", "192.0.2.77", "192.0.3.1"),
        ] {
            let network: Network = text.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text} {outside}");
        }
        for bad in
            ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/+8", "::/129", "1.2.3.4/8/8"]
        {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
        let around = Network::around("2001:db8::5".parse().unwrap(), 64);
        assert_eq!(around.to_string(), "2001:db8::/64");
    }
}
