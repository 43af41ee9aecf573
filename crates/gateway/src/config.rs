//! Settings of the gateway.
mod rate;

use std::net::SocketAddr;

use serde::Deserialize;
use souk_service::{Settings, Validate};

pub use crate::http::client_address::ProxyHeader;
pub use crate::http::network::Network;
pub use rate::Rate;

/// `[gateway]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the shop answers.
    pub listen: SocketAddr,
    /// Where metrics answer; not for the street.
    pub operator_listen: Option<SocketAddr>,
    /// The shop's address as browsers see it; empty: `shop.public_url`.
    pub public_url: String,
    /// Networks of the proxies in front; only they may say who the client is.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say it.
    pub proxy_header: ProxyHeader,
    /// Seconds a request may take in all.
    pub request_timeout_s: u64,
    /// Seconds that may pass waiting for a body; one more for each 16 KiB that came.
    pub body_timeout_s: u64,
    /// Largest body of a JSON request, bytes.
    pub max_body: usize,
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Of one client address (/64 of IPv6); more are closed. 0: no such bound, as without
    /// `rate_limit.enabled`.
    pub max_connections_per_address: usize,
    /// Requests worked on at once, at most; under overload fewer.
    pub max_in_flight: usize,
    pub rate_limit: RateLimit,
    pub cors: Cors,
    /// Views kept in memory while the bus is away; more are counted as dropped.
    pub view_buffer: usize,
    /// Products whose rendered answers are kept.
    pub hot_products: u64,
}

/// `[gateway.rate_limit]`: token buckets of each client address (/64 of IPv6), account and API key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    pub enabled: bool,
    /// Requests a second that one address may go on making, at each gateway.
    pub per_second: u32,
    /// Requests that it may make at once.
    pub burst: u32,
    /// Requests of one address in a minute, an hour, a day, over all gateways; 0: no such limit.
    pub per_minute: u32,
    pub per_hour: u32,
    pub per_day: u32,
    /// Requests of one account in a minute, over all gateways; 0: no limit.
    pub accounts_per_minute: u32,
    /// The same of one API key.
    pub keys_per_minute: u32,
    /// Log-ins and token refreshes of one address in a minute, over all gateways.
    pub logins_per_minute: u32,
    pub routes: RouteRates,
}

/// `[gateway.rate_limit.routes]`: what costs much or is worth guessing, over all gateways.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteRates {
    /// Log-ins of a whole network: /24, or /64 of IPv6.
    pub login: Rate,
    /// Registrations and new codes of one address.
    pub register: Rate,
    /// Letters to those who forgot their password, change their e-mail address or ask for the
    /// newsletter, of one address.
    pub forgot: Rate,
    /// Codes and links from letters, of one address.
    pub confirm: Rate,
    /// Searches of one account, or address.
    pub search: Rate,
    /// Orders and quotes of one account, or address.
    pub orders: Rate,
    /// Imports, exports of one account.
    pub transfer: Rate,
}

/// `[gateway.cors]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins whose pages may call the API; `*`: all (no cookies are ever allowed across origins).
    pub allowed_origins: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            operator_listen: Some(SocketAddr::from(([127, 0, 0, 1], 9090))),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            request_timeout_s: 30,
            body_timeout_s: 10,
            max_body: 1024 * 1024,
            max_connections: 10_000,
            max_connections_per_address: 256,
            max_in_flight: 1024,
            rate_limit: RateLimit::default(),
            cors: Cors::default(),
            view_buffer: 100_000,
            hot_products: 50_000,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            enabled: true,
            per_second: 50,
            burst: 200,
            per_minute: 0,
            per_hour: 0,
            per_day: 0,
            accounts_per_minute: 600,
            keys_per_minute: 300,
            logins_per_minute: 20,
            routes: RouteRates::default(),
        }
    }
}

impl Default for RouteRates {
    fn default() -> Self {
        Self {
            login: Rate::of(100, 600),
            register: Rate::of(5, 3600),
            forgot: Rate::of(5, 3600),
            confirm: Rate::of(30, 3600),
            search: Rate::of(120, 60),
            orders: Rate::of(30, 60),
            transfer: Rate::of(10, 3600),
        }
    }
}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        let inside = |name: &str, value: u64, from: u64, to: u64| {
            if (from..=to).contains(&value) {
                return Ok(());
            }
            Err(format!("gateway.{name} must be between {from} and {to}"))
        };
        inside("request_timeout_s", self.request_timeout_s, 1, 3600)?;
        inside("body_timeout_s", self.body_timeout_s, 1, 3600)?;
        inside("max_body", self.max_body as u64, 1024, 64 * 1024 * 1024)?;
        inside("max_connections", self.max_connections as u64, 16, 1_000_000)?;
        let of_one = self.max_connections_per_address as u64;
        inside("max_connections_per_address", of_one, 0, 1_000_000)?;
        inside("max_in_flight", self.max_in_flight as u64, 4, 100_000)?;
        inside("view_buffer", self.view_buffer as u64, 1000, 10_000_000)?;
        inside("hot_products", self.hot_products, 100, 10_000_000)?;
        let limits = &self.rate_limit;
        for (name, value, from, to) in [
            ("per_second", limits.per_second, 1, 1_000_000),
            ("burst", limits.burst, 1, 10_000_000),
            ("per_minute", limits.per_minute, 0, 100_000_000),
            ("per_hour", limits.per_hour, 0, 100_000_000),
            ("per_day", limits.per_day, 0, 100_000_000),
            ("accounts_per_minute", limits.accounts_per_minute, 0, 10_000_000),
            ("keys_per_minute", limits.keys_per_minute, 0, 10_000_000),
            ("logins_per_minute", limits.logins_per_minute, 1, 100_000),
        ] {
            inside(&format!("rate_limit.{name}"), value.into(), from, to)?;
        }
        for origin in &self.cors.allowed_origins {
            let fine = origin == "*"
                || (origin.starts_with("http://") || origin.starts_with("https://"))
                    && !origin.ends_with('/');
            if !fine {
                return Err(format!(
                    "gateway.cors.allowed_origins: {origin:?} is not an origin such as https://shop.example"
                ));
            }
        }
        Ok(())
    }
}
