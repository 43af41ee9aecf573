//! The door to the street: the REST API, limits, hot reads from memory, views on their way to
//! analytics.
//!
//! Owns no table and decides nothing about goods, people or money: it takes requests apart, asks
//! the services, and puts answers together.

mod api;
mod http;
mod pages;

mod clients;
mod events;
mod hot;
mod views;

mod config;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_service::{Frame, Listener, Parts, Schedule, Service, serve_http};
use souk_storage::Migrations;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Cors, RateLimit};

use crate::clients::Clients;
use crate::hot::Hot;
use crate::http::edge::Edge;
use crate::http::viewer::Viewers;
use crate::http::{Site, operator};
use crate::views::Views;

/// Whom the gateway asks.
const ASKS: &[&str] = &["accounts", "catalog", "orders", "analytics", "notifier"];

/// The service `gateway`.
pub struct Gateway;

impl Service for Gateway {
    const NAME: &'static str = "gateway";
    const ASKS: &'static [&'static str] = ASKS;
    const KEEPS: bool = false;
    type Config = Config;

    fn migrations() -> Migrations {
        Vec::new
    }

    fn build(frame: Frame, config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        async move { build(&frame, config) }.boxed()
    }
}

fn build(frame: &Frame, config: Config) -> anyhow::Result<Parts> {
    let config = Arc::new(config);
    let site = Site {
        clients: Arc::new(Clients::new(frame)?),
        hot: Arc::new(Hot::new(config.hot_products)),
        views: Views::new(config.view_buffer, frame.clock()),
        viewers: Arc::new(Viewers::new(frame.clock())),
        verifier: frame.verifier(),
        cache: frame.cache(),
        currency: frame.settings().shop.currency.parse()?,
        config: config.clone(),
        readiness: frame.readiness(),
    };
    let public_url = match config.public_url.as_str() {
        "" => frame.settings().shop.public_url.as_str(),
        own => own,
    };
    let edge = Edge::new(site.clone(), http::router(&site), public_url);
    let tidy = {
        let edge = edge.clone();
        Schedule {
            name: "forget_idle_addresses",
            every: Duration::from_secs(60),
            run: Arc::new(move || {
                edge.tidy();
                async { Ok(()) }.boxed()
            }),
        }
    };
    let mut listeners = vec![Listener {
        name: "gateway",
        address: config.listen,
        serve: Box::new(move |socket, stop| {
            serve_http(socket, move |peer| edge.for_peer(peer), stop).boxed()
        }),
    }];
    if let Some(address) = config.operator_listen {
        let router = operator::router(&site);
        listeners.push(Listener {
            name: "operator",
            address,
            serve: Box::new(move |socket, stop| {
                serve_http(socket, move |_| router.clone(), stop).boxed()
            }),
        });
    }
    let (views, bus) = (site.views.clone(), frame.bus());
    let publish: souk_service::Task = Box::new(move |stop| views.run(bus, stop).boxed());
    let refreshed = site.clone();
    let refresh: souk_service::Task = Box::new(move |stop| refresh(refreshed, stop).boxed());
    let (bus, hot, verifier) = (frame.bus(), site.hot.clone(), frame.verifier());
    let listen: souk_service::Task =
        Box::new(move |stop| events::listen(bus, hot, verifier, stop).boxed());
    Ok(Parts {
        tasks: vec![
            ("publish views", publish),
            ("hear changes", listen),
            ("refresh hot products", refresh),
        ],
        schedules: vec![tidy],
        listeners,
        ..Parts::default()
    })
}

/// Keeps what is asked for often in memory: looks twice a second for what is about to expire.
async fn refresh(site: Site, stop: CancellationToken) {
    let every = Duration::from_millis(500);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        let ripe = site.hot.ripe();
        if let Err(problem) = api::products::refresh(&site, &ripe).await {
            // they expire, and are filled one by one when asked for
            tracing::debug!(status = problem.status(), "hot products not refreshed");
        }
    }
}
