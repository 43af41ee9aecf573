//! Journeys through the whole shop, each on both back ends: what the services promise together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed; one that is left out says so"
)]

mod authorisation;
mod avatars;
mod bad_input;
mod bad_people;
mod blocks;
mod browsers;
mod buying;
mod buying_refused;
mod canary;
mod certs;
mod changes;
mod data;
mod document;
mod edge;
mod freshness;
mod injection;
mod jobs;
mod letter_kinds;
mod letters;
mod lists;
mod newsletter;
mod notices;
mod people;
mod personal_data;
mod program;
mod real_data;
mod roles;
mod smuggling;
mod source_apis;
mod split;
mod staff;
mod tokens;
mod wire;

use std::time::Duration;

use serde_json::{Value, json};
use souk_service::{Blueprint, blueprint};
use souk_testkit::{Backend, Client, Shop, ShopPlan};

/// For what should happen soon, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(120);

/// All services, as `souk serve` has them.
fn services() -> Vec<Blueprint> {
    vec![
        blueprint::<souk_accounts::Accounts>(),
        blueprint::<souk_catalog::Catalog>(),
        blueprint::<souk_analytics::Analytics>(),
        blueprint::<souk_orders::Orders>(),
        blueprint::<souk_notifier::Notifier>(),
        blueprint::<souk_gateway::Gateway>(),
    ]
}

fn plan(backend: Backend) -> ShopPlan {
    Shop::plan(backend, services())
}

/// The end of a journey: everything that was answered is in the API document, and the shop stops in order.
async fn finish(shop: Shop) {
    document::knows_all_that_was_seen(&shop).await;
    assert!(shop.close().await, "the shop did not stop in time");
}

/// A word that no other test uses.
fn unique(word: &str) -> String {
    let random: u64 = ring::rand::generate::<[u8; 8]>(&ring::rand::SystemRandom::new())
        .map(|bytes| u64::from_le_bytes(bytes.expose()))
        .expect("random bytes");
    format!("{word}-{random:016x}")
}

/// A product with everything that most journeys need.
fn teapot() -> Value {
    let sku = unique("TEA");
    json!({ "sku": sku, "name": "Teapot", "price": "39.99", "brand": "Bodum", "stock": 7 })
}

/// Everything that must stay the same when a request is refused: the product and the number of events.
async fn state(admin: &Client, id: &str) -> (Value, usize) {
    let product = admin.get(&format!("/api/products/{id}?include_hidden=true")).await.expect(200);
    let events = admin.lists_all("/api/admin/events", "service=catalog").await.len();
    (product, events)
}
