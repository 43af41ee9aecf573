//! Figures made of events: who saw which product when, what changed, and what
//! was sold.
//!
//! Owns counts only; what it knows it heard. A batch of views becomes a handful of statements in
//! one transaction with its inbox row, so each view counts once however often it is delivered.

mod domain;

mod app;
mod store;

mod events;
mod grpc;
mod integrity;
mod jobs;

mod config;
mod error;

use futures::future::BoxFuture;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use crate::app::personal::keeper;
pub use crate::app::{App, Kept};
pub use crate::config::Config;
pub use crate::events::{OrderListener, ProductListener, ViewListener, consumers};
pub use crate::grpc::routes;
pub use crate::integrity::invariants;
pub use crate::jobs::schedules;
pub use crate::store::migrations;

/// The service `analytics`.
pub struct Analytics;

impl Service for Analytics {
    const NAME: &'static str = "analytics";
    const ASKS: &'static [&'static str] = &[];
    type Config = Config;

    fn migrations() -> Migrations {
        migrations
    }

    fn build(frame: Frame, config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        Box::pin(async move {
            let app = App { db: frame.db()?, clock: frame.clock(), kept: config.kept() };
            let (grpc, methods) = routes(&app);
            Ok(Parts {
                grpc: Some(grpc),
                methods,
                consumers: consumers(),
                schedules: schedules(&app),
                invariants: invariants(&app),
                personal: Some(keeper(&app)),
                ..Parts::default()
            })
        })
    }
}
