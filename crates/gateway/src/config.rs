//! Settings of the gateway.
use std::net::SocketAddr;

use serde::Deserialize;
use souk_service::{Settings, Validate};

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
    /// Seconds a request may take in all.
    pub request_timeout_s: u64,
    /// Largest body of a JSON request, bytes.
    pub max_body: usize,
    pub rate_limit: RateLimit,
    pub cors: Cors,
    /// Views kept in memory while the bus is away; more are counted as dropped.
    pub view_buffer: usize,
    /// Products whose rendered answers are kept.
    pub hot_products: u64,
}

/// `[gateway.rate_limit]`: a token bucket for each client address (/64 of IPv6).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    pub enabled: bool,
    /// Requests a second that one address may go on making.
    pub per_second: u32,
    /// Requests that it may make at once.
    pub burst: u32,
    /// Log-ins and token refreshes of one address in a minute, over all gateways.
    pub logins_per_minute: u32,
}

/// `[gateway.cors]`.
#[derive(Clone, Debug, Deserialize)]
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
            request_timeout_s: 30,
            max_body: 1024 * 1024,
            rate_limit: RateLimit::default(),
            cors: Cors::default(),
            view_buffer: 100_000,
            hot_products: 50_000,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { enabled: true, per_second: 50, burst: 200, logins_per_minute: 20 }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self { allowed_origins: vec!["*".to_owned()] }
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
        inside("max_body", self.max_body as u64, 1024, 64 * 1024 * 1024)?;
        inside("view_buffer", self.view_buffer as u64, 1000, 10_000_000)?;
        inside("hot_products", self.hot_products, 100, 10_000_000)?;
        inside("rate_limit.per_second", self.rate_limit.per_second.into(), 1, 1_000_000)?;
        inside("rate_limit.burst", self.rate_limit.burst.into(), 1, 10_000_000)?;
        let logins = self.rate_limit.logins_per_minute;
        inside("rate_limit.logins_per_minute", logins.into(), 1, 100_000)?;
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
