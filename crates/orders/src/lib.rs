//! Carts, checkout, payment, orders: from a click to goods on their way, through retries, races
//! and crashes.
//!
//! Owns carts, orders, payments, coupons, shipping methods and tax rates. Stock is catalog's:
//! orders reserves, commits and releases it by call, each step once for an order.

mod domain;

mod app;
mod store;

mod clients;
mod events;
mod grpc;
mod jobs;

mod config;
mod error;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use config::{Config, PaymentsConfig, StripeConfig};

use crate::app::App;

/// The service `orders`.
pub struct Orders;

impl Service for Orders {
    const NAME: &'static str = "orders";
    const ASKS: &'static [&'static str] = &["catalog", "accounts"];
    type Config = Config;

    fn migrations() -> Migrations {
        store::migrations::all
    }

    fn build(frame: Frame, config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        async move {
            let app = App::new(&frame, config, grpc::ENCODE)?;
            let (grpc, methods) = grpc::routes(&app);
            Ok(Parts {
                grpc: Some(grpc),
                methods,
                consumers: events::consumers(&app),
                schedules: jobs::schedules(&app),
                tasks: jobs::tasks(&app),
                invariants: app::integrity::invariants(&app),
                personal: Some(app::personal::keeper(&app)),
                ..Parts::default()
            })
        }
        .boxed()
    }
}
