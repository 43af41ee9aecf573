//! Rates of addresses, networks and classes of routes.
use std::collections::BTreeSet;

use souk_values::{SessionId, UserId};

use super::*;

fn limits(settings: RateLimit) -> Limits {
    Limits::new(&settings, Cache::memory())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn somebody() -> User {
    User {
        id: UserId::new(),
        session: SessionId::new(),
        role: "customer".to_owned(),
        permissions: BTreeSet::new(),
        expires_at: 0,
        fresh_until: 0,
        enrol_only: false,
        by_key: false,
    }
}

fn anonymous(text: &str) -> Asker<'static> {
    Asker { address: address(text), user: None, by_key: false }
}

#[test]
fn an_address_may_burst_and_then_waits() {
    let limits = limits(RateLimit { per_second: 1, burst: 3, ..RateLimit::default() });
    for left in [2, 1, 0] {
        let taken = limits.address(address("192.0.2.1"));
        assert!(taken.allowed);
        assert_eq!((taken.limit, taken.remaining), (3, left));
    }
    let refused = limits.address(address("192.0.2.1"));
    assert!(!refused.allowed && refused.reset_after <= Duration::from_secs(1));
    assert_eq!(seconds(&refused), 1);
    assert!(limits.address(address("192.0.2.2")).allowed);
}

#[test]
fn a_64_is_one_customer() {
    let network = |text: &str| network(address(text));
    assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
    assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
}

#[tokio::test]
async fn each_class_has_its_own_bucket_for_each_subject() {
    let mut settings = RateLimit::default();
    settings.routes.register = Rate::of(2, 3600);
    settings.routes.orders = Rate::of(2, 3600);
    let limits = limits(settings);
    let register = Some(Class::Register);
    let mut allowed = Vec::new();
    for _ in 0..3 {
        allowed.push(limits.shared(register, anonymous("192.0.2.1")).await.unwrap().allowed);
    }
    assert_eq!(allowed, [true, true, false]);
    assert!(limits.shared(register, anonymous("192.0.2.2")).await.unwrap().allowed);
    assert!(limits.shared(None, anonymous("192.0.2.1")).await.is_none());

    let (ada, bob) = (somebody(), somebody());
    let order = Some(Class::Orders);
    let by = |user| Asker { user: Some(user), ..anonymous("192.0.2.1") };
    for allowed in [true, true, false] {
        assert_eq!(limits.shared(order, by(&ada)).await.unwrap().allowed, allowed);
    }
    assert!(limits.shared(order, by(&bob)).await.unwrap().allowed, "another account, same address");
}

#[tokio::test]
async fn s05_log_ins_of_a_network_are_counted_together() {
    let settings = RateLimit { logins_per_minute: 100_000, ..RateLimit::default() };
    let limits = limits(settings);
    let login = Some(Class::Login);
    for n in 1..=100 {
        let asker = anonymous(&format!("203.0.113.{n}"));
        assert!(limits.shared(login, asker).await.unwrap().allowed, "{n}");
    }
    let refused = limits.shared(login, anonymous("203.0.113.200")).await.unwrap();
    assert!(!refused.allowed && refused.limit == 100);
    assert!(limits.shared(login, anonymous("203.0.114.1")).await.unwrap().allowed);
    // refreshing is no guessing
    let refresh = Some(Class::Refresh);
    assert!(limits.shared(refresh, anonymous("203.0.113.200")).await.unwrap().allowed);
}

fn by_key(key: &User) -> Asker<'_> {
    Asker { address: address("192.0.2.1"), user: Some(key), by_key: true }
}

#[tokio::test]
async fn accounts_keys_and_windows_of_an_address_have_their_limits() {
    let user = somebody();
    let any = None;
    let settings = RateLimit { accounts_per_minute: 3, keys_per_minute: 2, ..RateLimit::default() };
    let limits_of_both = limits(settings);
    for allowed in [true, true, false] {
        assert_eq!(limits_of_both.shared(any, by_key(&user)).await.unwrap().allowed, allowed);
    }
    // a second key of the same account: its own bucket is full, the account's is empty
    let second = User { session: SessionId::new(), ..user.clone() };
    assert!(!limits_of_both.shared(any, by_key(&second)).await.unwrap().allowed);

    let settings = RateLimit {
        per_minute: 100,
        per_hour: 2,
        accounts_per_minute: 0,
        keys_per_minute: 0,
        ..RateLimit::default()
    };
    let windows = limits(settings);
    for left in [1, 0] {
        let taken = windows.shared(any, by_key(&user)).await.unwrap();
        assert!(taken.allowed);
        assert_eq!((taken.limit, taken.remaining), (2, left), "the tightest is told");
    }
    let refused = windows.shared(any, by_key(&user)).await.unwrap();
    assert!(!refused.allowed && refused.reset_after > Duration::from_secs(60));
    assert!(windows.shared(any, anonymous("192.0.2.9")).await.unwrap().allowed);
}

#[tokio::test]
async fn a_cache_that_is_away_neither_locks_out_nor_lifts_limits() {
    // nobody listens there: port 1 needs rights
    let cache = Cache::open("redis://127.0.0.1:1").await.unwrap();
    let mut settings = RateLimit::default();
    settings.routes.forgot = Rate::of(3, 3600);
    let limits = Limits::new(&settings, cache);
    let forgot = Some(Class::Forgot);
    for allowed in [true, true, true, false, false] {
        let taken = limits.shared(forgot, anonymous("192.0.2.1")).await.unwrap();
        assert_eq!(taken.allowed, allowed);
    }
    assert!(limits.shared(forgot, anonymous("192.0.2.2")).await.unwrap().allowed);
}

#[test]
fn nobodys_address_stands_in_a_key() {
    let limits = limits(RateLimit { per_day: 5, ..RateLimit::default() });
    let wanted = limits.wanted(Some(Class::Login), anonymous("203.0.113.7"));
    assert_eq!(wanted.len(), 3);
    assert!(wanted.iter().all(|want| !want.key.contains("203.0.113")), "{wanted:?}");
}

#[test]
fn the_tightest_allowance_is_told() {
    let of = |allowed, remaining, ms| Allowance {
        allowed,
        limit: 10,
        remaining,
        reset_after: Duration::from_millis(ms),
    };
    assert_eq!(tighter(of(true, 5, 1), of(true, 2, 1)), of(true, 2, 1));
    assert_eq!(tighter(of(false, 0, 1), of(true, 0, 9)), of(false, 0, 1));
    assert_eq!(tighter(of(false, 0, 1), of(false, 0, 9)), of(false, 0, 9));
    let mut headers = HeaderMap::new();
    tell(&mut headers, &of(true, 4, 1_001));
    let said = [LIMIT, REMAINING, RESET].map(|name| headers[name].to_str().unwrap().to_owned());
    assert_eq!(said, ["10", "4", "2"]);
    assert_eq!(seconds(&of(false, 0, 1)), 1);
}
