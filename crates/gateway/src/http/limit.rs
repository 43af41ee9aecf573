//! Rate limits: of each address here in memory, of log-ins over all gateways in the shared cache.
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Method, Request};

use super::Site;
use super::edge::Peer;
use super::problem::Problem;
use crate::config::RateLimit;

/// Addresses remembered before the idle ones are forgotten.
const MANY: usize = 100_000;

/// A token bucket for each address.
pub(crate) struct Limit {
    buckets: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Limit {
    pub(crate) fn new(settings: &RateLimit) -> Self {
        let one = NonZeroU32::MIN;
        let rate = NonZeroU32::new(settings.per_second).unwrap_or(one);
        let burst = NonZeroU32::new(settings.burst).unwrap_or(one);
        let quota = Quota::per_second(rate).allow_burst(burst);
        Self { buckets: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Takes one; `Err`: how long to wait.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Duration> {
        self.buckets
            .check_key(&network(address))
            .map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    pub(crate) fn tidy(&self) {
        if self.buckets.len() > MANY / 10 {
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
    }
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

/// Log-ins and token refreshes: guessing is slow for an address, over all gateways.
pub(crate) async fn log_ins(
    State(site): State<Site>,
    request: Request<Body>,
    next: Next,
) -> Response {
    const GUARDED: [&str; 3] = ["/api/auth/login", "/api/auth/refresh", "/users/login"];
    let limits = &site.config.rate_limit;
    let guarded = request.method() == Method::POST && GUARDED.contains(&request.uri().path());
    if guarded
        && limits.enabled
        && let Some(Peer(peer)) = request.extensions().get::<Peer>()
    {
        let key = format!("limit:login:{}", network(peer.ip()));
        let minute = Duration::from_secs(60);
        // a cache that is away must not lock people out: the brake of the account still holds
        if let Ok(taken) = site.cache.take(&key, limits.logins_per_minute, minute).await
            && !taken.allowed
        {
            return Problem::too_many(taken.reset_after.as_secs() + 1).into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_burst_and_then_waits() {
        let limit = Limit::new(&RateLimit { per_second: 1, burst: 3, ..RateLimit::default() });
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        assert!((0..3).all(|_| limit.check(address).is_ok()));
        assert!(limit.check(address).is_err());
        assert!(limit.check("192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_64_is_one_customer() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
