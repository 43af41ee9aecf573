//! Who the client is when proxies stand in between: only a proxy that the settings trust is believed.
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use serde::Deserialize;

use super::network::Network;

/// The header in which the proxies name the client. Only one is read: the other one may be the client's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// The proxies in front of the gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    trusted: Vec<Network>,
    header: ProxyHeader,
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

impl Proxies {
    pub(crate) fn new(trusted: Vec<Network>, header: ProxyHeader) -> Self {
        Self { trusted, header }
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The client of a request that a trusted proxy handed over: the rightmost address that is none of the
    /// proxies. What stands left of it is the client's own word and counts for nothing.
    pub(crate) fn client(&self, proxy: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let mut known = SocketAddr::new(proxy.ip().to_canonical(), proxy.port());
        let name = match self.header {
            ProxyHeader::XForwardedFor => FORWARDED_FOR,
            ProxyHeader::Forwarded => header::FORWARDED,
        };
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        for line in lines.into_iter().rev() {
            let Ok(line) = line.to_str() else { return known };
            for hop in line.rsplit(',') {
                let said = match self.header {
                    ProxyHeader::XForwardedFor => address(hop.trim()),
                    ProxyHeader::Forwarded => forwarded(hop, "for").and_then(address),
                };
                // an unknown or hidden hop: nobody behind it is known either
                let Some(said) = said else { return known };
                known = SocketAddr::new(said.to_canonical(), 0);
                if !self.trusts(known.ip()) {
                    return known;
                }
            }
        }
        known
    }

    /// Whether the proxy says that the client came without TLS.
    pub(crate) fn came_plain(&self, headers: &HeaderMap) -> bool {
        let last = |name: HeaderName| {
            let line = headers.get_all(name).iter().next_back().and_then(|v| v.to_str().ok());
            line.and_then(|line| line.rsplit(',').next()).map(str::trim)
        };
        let scheme = match self.header {
            ProxyHeader::XForwardedFor => last(FORWARDED_PROTO),
            ProxyHeader::Forwarded => {
                last(header::FORWARDED).and_then(|hop| forwarded(hop, "proto"))
            }
        };
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
    }
}

/// Whether it came from this machine itself: not through a proxy that stands here and was not named, and
/// not from a page of a site whose name leads here (DNS rebinding).
pub(crate) fn is_at_this_machine(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let passed_on = ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via"];
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let name = name.map_or(host, |(name, _)| name);
    let local = name.eq_ignore_ascii_case("localhost")
        || address(name).is_some_and(|address| address.to_canonical().is_loopback());
    peer.ip().to_canonical().is_loopback()
        && local
        && !passed_on.iter().any(|name| headers.contains_key(*name))
}

/// Takes out what claims to say who the client is: handlers know it from the edge alone.
pub(crate) fn strip_claims(headers: &mut HeaderMap) {
    const CLAIMS: [&str; 7] = [
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "traceparent",
        "tracestate",
        "baggage",
    ];
    let claims = |name: &&HeaderName| {
        let name = name.as_str();
        let numbered = ["x-forwarded-", "x-user-", "x-souk-"];
        CLAIMS.contains(&name) || numbered.iter().any(|start| name.starts_with(start))
    };
    let found: Vec<HeaderName> = headers.keys().filter(claims).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// A parameter of one element of `Forwarded`, without its quotes.
fn forwarded<'a>(hop: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies(header: ProxyHeader) -> Proxies {
        let trusted = ["10.0.0.0/8", "127.0.0.1", "2001:db8:1::/48"];
        Proxies::new(trusted.iter().map(|t| t.parse().unwrap()).collect(), header)
    }

    fn headers(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        let proxies = proxies(ProxyHeader::XForwardedFor);
        for (lines, client) in [
            (&[][..], "10.0.0.9"),
            (&[""], "10.0.0.9"),
            (&["203.0.113.7"], "203.0.113.7"),
            (&["203.0.113.7:4711"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1,203.0.113.7,10.1.2.3"], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7", "10.1.2.3, 127.0.0.1"], "203.0.113.7"),
            (&["203.0.113.7", "203.0.113.8"], "203.0.113.8"),
            (&["2001:db8::5, 2001:db8:1::2"], "2001:db8::5"),
            (&["[2001:db8::5]:443"], "2001:db8::5"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
            (&["10.9.9.9, 10.8.8.8"], "10.9.9.9"),
            (&["203.0.113.7, unknown"], "10.0.0.9"),
            (&["203.0.113.7, unknown, 10.1.1.1"], "10.1.1.1"),
            (&["127.0.0.1, <script>"], "10.0.0.9"),
        ] {
            let found =
                proxies.client("10.0.0.9:555".parse().unwrap(), &headers("x-forwarded-for", lines));
            assert_eq!(found.ip(), client.parse::<IpAddr>().unwrap(), "{lines:?}");
        }
        // the other header is not looked at
        let other = headers("forwarded", &["for=203.0.113.7"]);
        let found = proxies.client("10.0.0.9:555".parse().unwrap(), &other);
        assert_eq!(found, "10.0.0.9:555".parse().unwrap());
    }

    #[test]
    fn the_standard_header_is_read_when_it_is_chosen() {
        let proxies = proxies(ProxyHeader::Forwarded);
        for (line, client) in [
            ("for=203.0.113.7;proto=https", "203.0.113.7"),
            ("for=198.51.100.1, For=\"203.0.113.7:80\";by=10.0.0.1", "203.0.113.7"),
            ("for=\"[2001:db8::5]:4711\", for=10.2.2.2", "2001:db8::5"),
            ("for=198.51.100.1, for=_hidden", "10.0.0.9"),
            ("proto=https", "10.0.0.9"),
        ] {
            let found =
                proxies.client("10.0.0.9:555".parse().unwrap(), &headers("forwarded", &[line]));
            assert_eq!(found.ip(), client.parse::<IpAddr>().unwrap(), "{line}");
        }
    }

    #[test]
    fn only_listed_peers_are_proxies() {
        let proxies = proxies(ProxyHeader::XForwardedFor);
        assert!(proxies.trusts("10.200.0.1".parse().unwrap()));
        assert!(proxies.trusts("::ffff:10.200.0.1".parse().unwrap()));
        assert!(!proxies.trusts("11.0.0.1".parse().unwrap()));
        assert!(!Proxies::default().trusts("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_proxy_says_that_the_client_came_plain() {
        let plain = |lines| {
            proxies(ProxyHeader::XForwardedFor).came_plain(&headers("x-forwarded-proto", lines))
        };
        assert!(plain(&["http"]) && plain(&["https, HTTP"]) && plain(&["https", "http"]));
        assert!(!plain(&[]) && !plain(&["https"]) && !plain(&["http, https"]));
        let standard = headers("forwarded", &["for=192.0.2.1;proto=http"]);
        assert!(proxies(ProxyHeader::Forwarded).came_plain(&standard));
        assert!(!proxies(ProxyHeader::XForwardedFor).came_plain(&standard));
    }

    #[test]
    fn only_who_sits_here_is_at_this_machine() {
        let here = |peer: &str, host: &'static str, more: &[(&'static str, &'static str)]| {
            let mut headers = headers("host", &[host]);
            for (name, value) in more {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_at_this_machine(peer.parse().unwrap(), &headers)
        };
        for host in
            ["127.0.0.1:8080", "127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:8080", "[::1]"]
        {
            assert!(here("127.0.0.1:5", host, &[]), "{host}");
            assert!(here("[::1]:5", host, &[]), "{host}");
            assert!(!here("192.0.2.1:5", host, &[]), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:8080", "", "192.0.2.1"]
        {
            assert!(!here("127.0.0.1:5", host, &[]), "{host}");
        }
        assert!(!here("127.0.0.1:5", "localhost", &[("x-forwarded-for", "192.0.2.1")]));
        assert!(!here("127.0.0.1:5", "localhost", &[("via", "1.1 nginx")]));
    }

    #[test]
    fn claims_are_taken_out_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-forwarded-for",
            "x-forwarded-host",
            "forwarded",
            "x-real-ip",
            "x-user-id",
            "x-user-role",
            "traceparent",
            "baggage",
            "x-souk-client",
        ] {
            headers.insert(name, HeaderValue::from_static("admin"));
        }
        headers.insert("accept", HeaderValue::from_static("*/*"));
        headers.insert("x-request-id", HeaderValue::from_static("r1"));
        strip_claims(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-request-id"]);
    }
}
