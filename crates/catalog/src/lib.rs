//! What is for sale: products, categories, pictures, import and export.
//!
//! Owns the catalogue's tables and tells of every product change by one event. ARCHITECTURE.md
//! walks through one price change, from the request to the letter.

mod domain;

mod app;
mod store;

mod grpc;
mod jobs;

mod config;
mod error;

#[doc(hidden)]
pub mod fuzz;

use std::sync::Arc;

use futures::future::BoxFuture;
use souk_pictures::Workshop;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use config::Config;

use crate::app::App;
use crate::app::stock::Storeroom;

/// The service `catalog`.
pub struct Catalog;

impl Service for Catalog {
    const NAME: &'static str = "catalog";
    const ASKS: &'static [&'static str] = &[];
    type Config = Config;

    fn migrations() -> Migrations {
        store::migrations
    }

    fn build(frame: Frame, config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        Box::pin(async move {
            let app = App {
                db: frame.db()?,
                outbox: frame.outbox(),
                jobs: frame.jobs()?,
                audit: frame.audit()?,
                clock: frame.clock(),
                currency: frame.settings().shop.currency.parse()?,
                stock: config.stock_rules(),
                files: frame.files_dir(),
                workshop: Workshop::default(),
            };
            let storeroom = Storeroom::new(&app);
            let (grpc, methods) = grpc::routes(&app, &storeroom);
            Ok(Parts {
                grpc: Some(grpc),
                methods,
                schedules: jobs::schedules(&storeroom),
                invariants: app::integrity::invariants(&app),
                jobs: vec![Arc::new(jobs::import_products::ImportProducts { app })],
                ..Parts::default()
            })
        })
    }
}
