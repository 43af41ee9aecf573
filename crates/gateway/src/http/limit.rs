//! Rate limits: of each address here in memory; of addresses, accounts, API keys and expensive routes over all
//! gateways in the shared cache. A cache that is away leaves buckets of this gateway's own in its place: nobody is
//! locked out, and no limit is lifted.
pub(crate) mod class;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use futures::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue};
use metrics::Counter;
use sha2::{Digest, Sha256};
use souk_auth::User;
use souk_cache::{Allowance, Buckets, Cache};

use self::class::{Class, Subject};
use super::network::Network;
use crate::config::{Rate, RateLimit};

pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
pub(crate) const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
pub(crate) const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The limits of one gateway.
pub(crate) struct Limits {
    settings: RateLimit,
    /// Of addresses: what every request takes one from.
    addresses: Buckets<IpAddr>,
    refill: Duration,
    shared: Cache,
    /// In place of the shared ones.
    own: Buckets<String>,
    without_cache: Counter,
}

/// A bucket that a request takes one from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Want {
    key: String,
    rate: Rate,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) address: IpAddr,
    pub(crate) user: Option<&'a User>,
    /// The user came with an API key: its session is the key's.
    pub(crate) by_key: bool,
}

impl Limits {
    pub(crate) fn new(settings: &RateLimit, shared: Cache) -> Self {
        let (burst, rate) = (u64::from(settings.burst), u64::from(settings.per_second.max(1)));
        Self {
            settings: settings.clone(),
            addresses: Buckets::default(),
            refill: Duration::from_micros(burst * 1_000_000 / rate),
            shared,
            own: Buckets::default(),
            without_cache: metrics::counter!("rate_limits_without_cache_total"),
        }
    }

    /// Takes one from the address's bucket, here in memory.
    pub(crate) fn address(&self, address: IpAddr) -> Allowance {
        self.addresses.take(&network(address), self.settings.burst, self.refill)
    }

    /// Takes one from each shared bucket that the request touches; `None`: there is none, else the tightest.
    pub(crate) async fn shared(&self, class: Option<Class>, asker: Asker<'_>) -> Option<Allowance> {
        let wanted = self.wanted(class, asker);
        let taken = join_all(wanted.iter().map(|want| self.take(want))).await;
        taken.into_iter().reduce(tighter)
    }

    async fn take(&self, want: &Want) -> Allowance {
        let Rate { count, period } = want.rate;
        if let Ok(taken) = self.shared.take(&want.key, count, period).await {
            return taken;
        }
        self.without_cache.increment(1);
        self.own.take(want.key.as_str(), count, period)
    }

    fn wanted(&self, class: Option<Class>, asker: Asker<'_>) -> Vec<Want> {
        let settings = &self.settings;
        let mut wanted = Vec::new();
        let mut want = |name: &str, of: String, rate: Rate| {
            if rate.count > 0 {
                wanted.push(Want { key: format!("gateway:limit:{name}:{of}"), rate });
            }
        };
        let address = || hashed(&network(asker.address).to_string());
        if settings.per_minute > 0 || settings.per_hour > 0 || settings.per_day > 0 {
            want("minute", address(), Rate::of(settings.per_minute, 60));
            want("hour", address(), Rate::of(settings.per_hour, 3_600));
            want("day", address(), Rate::of(settings.per_day, 86_400));
        }
        if let Some(user) = asker.user {
            let id = user.id.to_string();
            want("account", id, Rate::of(settings.accounts_per_minute, 60));
            if asker.by_key {
                let key = user.session.to_string();
                want("key", key, Rate::of(settings.keys_per_minute, 60));
            }
        }
        if let Some(class) = class {
            if matches!(class, Class::Login | Class::Refresh) {
                want("logins", address(), Rate::of(settings.logins_per_minute, 60));
            }
            if let Some((rate, subject)) = class.rate(&settings.routes) {
                let of = match (subject, asker.user) {
                    (Subject::Account, Some(user)) => user.id.to_string(),
                    (Subject::Network, _) => hashed(&around(asker.address).to_string()),
                    _ => address(),
                };
                want(class.name(), of, rate);
            }
        }
        wanted
    }
}

/// The one that says more about what is left.
pub(crate) fn tighter(a: Allowance, b: Allowance) -> Allowance {
    match (a.allowed, b.allowed) {
        (true, false) => b,
        (false, true) => a,
        // of two refusals the longer one counts
        (false, false) => {
            if b.reset_after > a.reset_after {
                b
            } else {
                a
            }
        }
        (true, true) => {
            if b.remaining < a.remaining {
                b
            } else {
                a
            }
        }
    }
}

/// Tells the client what is left (the fields of draft-ietf-httpapi-ratelimit-headers-07).
pub(crate) fn tell(headers: &mut HeaderMap, allowance: &Allowance) {
    headers.insert(LIMIT, HeaderValue::from(allowance.limit));
    headers.insert(REMAINING, HeaderValue::from(allowance.remaining));
    headers.insert(RESET, HeaderValue::from(seconds(allowance)));
}

/// Whole seconds until there is more.
pub(crate) fn seconds(allowance: &Allowance) -> u64 {
    let rounded =
        allowance.reset_after.as_secs() + u64::from(allowance.reset_after.subsec_nanos() > 0);
    if allowance.allowed { rounded } else { rounded.max(1) }
}

/// One customer's addresses: a whole /64 for IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

/// Those whose guesses are counted together: /24, and /64 of IPv6.
fn around(address: IpAddr) -> Network {
    let address = address.to_canonical();
    Network::around(address, if address.is_ipv4() { 24 } else { 64 })
}

/// No address stands in the cache.
fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let head = digest.first_chunk::<16>().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(head))
}

#[cfg(test)]
mod tests;
