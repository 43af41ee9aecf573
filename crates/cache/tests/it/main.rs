//! The cache in memory and on Redis, and without its Redis.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

mod away;
mod both;

/// Where the tests' Redis is.
fn redis_url() -> String {
    std::env::var_os("SOUK_TEST_REDIS_URL")
        .expect("no Redis: start with `cargo xtask test`")
        .into_string()
        .unwrap()
}

/// A key of nobody else.
fn key(name: &str) -> String {
    format!("{name}:{}", uuid::Uuid::new_v4().simple())
}
