//! The door to the street: the REST API, limits, hot reads from memory, views on their way to
//! analytics.
//!
//! Owns no table and decides nothing about goods, people or money: it takes requests apart, asks
//! the services, and puts answers together.

mod api;
mod http;
mod pages;

mod blocks;
mod clients;
mod events;
mod hot;
mod refusals;
mod revocations;
mod views;

mod config;

#[doc(hidden)]
pub mod fuzz;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_proto::accounts::v1::ListEndedSessionsRequest;
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_service::{Frame, HttpBounds, Listener, Parts, Service, serve_http};
use souk_storage::Migrations;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Cors, Network, ProxyHeader, Rate, RateLimit, RouteRates};

use crate::blocks::Blocks;
use crate::clients::Clients;
use crate::hot::Hot;
use crate::http::cookie::Cookies;
use crate::http::csrf::Origin;
use crate::http::edge::Edge;
use crate::http::exchange::Exchange;
use crate::http::viewer::Viewers;
use crate::http::{Site, operator};
use crate::revocations::Revocations;
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
    let public_url = match config.public_url.as_str() {
        "" => frame.settings().shop.public_url.as_str(),
        own => own,
    };
    let (refusals, refused) = refusals::channel();
    let site = Site {
        refusals,
        clients: Arc::new(Clients::new(frame)?),
        hot: Arc::new(Hot::new(config.hot_products)),
        views: Views::new(config.view_buffer, frame.clock()),
        viewers: Arc::new(Viewers::new(frame.clock())),
        verifier: frame.verifier(),
        revocations: Arc::new(Revocations::new(frame.verifier())),
        blocks: Arc::new(Blocks::new(frame.clock())),
        exchange: Arc::new(Exchange::new()),
        cookies: Cookies::new(public_url),
        origin: Arc::new(Origin::new(public_url)),
        cache: frame.cache(),
        currency: frame.settings().shop.currency.parse()?,
        config: config.clone(),
        readiness: frame.readiness(),
    };
    let edge = Edge::new(site.clone(), http::router(&site), public_url);
    let bounds = HttpBounds { connections: config.max_connections, ..HttpBounds::default() };
    let mut listeners = vec![Listener {
        name: "gateway",
        address: config.listen,
        serve: Box::new(move |socket, stop| {
            serve_http(socket, bounds, move |peer| edge.for_peer(peer), stop).boxed()
        }),
    }];
    if let Some(address) = config.operator_listen {
        let router = operator::router(&site);
        listeners.push(Listener {
            name: "operator",
            address,
            serve: Box::new(move |socket, stop| {
                let router = move |_| Some(router.clone());
                serve_http(socket, HttpBounds::default(), router, stop).boxed()
            }),
        });
    }
    let (views, bus) = (site.views.clone(), frame.bus());
    let publish: souk_service::Task = Box::new(move |stop| views.run(bus, stop).boxed());
    let refreshed = site.clone();
    let refresh: souk_service::Task = Box::new(move |stop| refresh(refreshed, stop).boxed());
    let (bus, hot, verifier) = (frame.bus(), site.hot.clone(), frame.verifier());
    let exchange = site.exchange.clone();
    let blocks = site.blocks.clone();
    let listen: souk_service::Task =
        Box::new(move |stop| events::listen(bus, hot, exchange, blocks, verifier, stop).boxed());
    let (blocks, accounts) = (site.blocks.clone(), site.clients.blocks.clone());
    let keep: souk_service::Task =
        Box::new(move |stop| async move { blocks.keep(accounts, stop).await }.boxed());
    let (revocations, sessions) = (site.revocations.clone(), site.clients.sessions.clone());
    let ask = move |request: ListEndedSessionsRequest| {
        let mut sessions = sessions.clone();
        async move { sessions.list_ended_sessions(request).await }
    };
    let ended: souk_service::Task =
        Box::new(move |stop| async move { revocations.keep(ask, stop).await }.boxed());
    let accounts = OperationsServiceClient::new(frame.transport("accounts")?);
    let tell: souk_service::Task = Box::new(move |stop| refused.run(accounts, stop).boxed());
    Ok(Parts {
        tasks: vec![
            ("publish views", publish),
            ("hear changes", listen),
            ("refresh hot products", refresh),
            ("keep blocked networks", keep),
            ("learn of ended sessions", ended),
            ("tell refusals", tell),
        ],
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
