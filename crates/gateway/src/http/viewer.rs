//! Who looks: the user, else the visitor's cookie, else a hash of address and agent that means
//! nothing tomorrow.
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use http::{HeaderMap, header};
use souk_auth::User;
use souk_values::Clock;
use uuid::Uuid;

use crate::views::Viewer;

/// Name of the cookie that pages set.
const COOKIE: &str = "souk_visitor";

/// Tells anonymous visitors apart for a day.
pub(crate) struct Viewers {
    clock: Clock,
    /// Day number and its salt; a new day, a new salt.
    salt: RwLock<(i64, RandomState)>,
}

impl Viewers {
    pub(crate) fn new(clock: Clock) -> Self {
        let today = day(&clock);
        Self { clock, salt: RwLock::new((today, RandomState::new())) }
    }

    pub(crate) fn of(&self, user: Option<&User>, headers: &HeaderMap, address: IpAddr) -> Viewer {
        if let Some(user) = user {
            return Viewer::User(user.id);
        }
        if let Some(visitor) = cookie(headers) {
            return Viewer::Visitor(visitor);
        }
        let agent = headers.get(header::USER_AGENT).map(http::HeaderValue::as_bytes);
        Viewer::Anonymous(self.hash(address, agent.unwrap_or_default()))
    }

    fn hash(&self, address: IpAddr, agent: &[u8]) -> u64 {
        let today = day(&self.clock);
        {
            let salt = self.salt.read().unwrap_or_else(PoisonError::into_inner);
            if salt.0 == today {
                return salt.1.hash_one((address, agent));
            }
        }
        let mut salt = self.salt.write().unwrap_or_else(PoisonError::into_inner);
        if salt.0 != today {
            *salt = (today, RandomState::new());
        }
        salt.1.hash_one((address, agent))
    }
}

fn day(clock: &Clock) -> i64 {
    clock.now_us().div_euclid(86_400_000_000)
}

/// The cookie's value is a UUID that a page of ours made; anything else does not count.
fn cookie(headers: &HeaderMap) -> Option<Uuid> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let pair = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pair.into_iter().find(|(name, _)| *name == COOKIE)?;
    Uuid::parse_str(value).ok()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_visitor_is_one_for_a_day_and_unknown_the_next() {
        let clock = Clock::fixed(DateTime::from_timestamp(1_000_000, 0).unwrap());
        let viewers = Viewers::new(clock.clone());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static("a"));
        let first = viewers.of(None, &headers, address);
        assert_eq!(viewers.of(None, &headers, address), first);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("b"));
        assert_ne!(viewers.of(None, &headers, address), first);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("a"));
        clock.advance(Duration::days(1));
        assert_ne!(viewers.of(None, &headers, address), first);
        let cookie =
            HeaderValue::from_static("x=1; souk_visitor=01890a5d-ac96-774b-bcce-b302099a8057");
        headers.insert(header::COOKIE, cookie);
        assert!(matches!(viewers.of(None, &headers, address), Viewer::Visitor(_)));
    }
}
