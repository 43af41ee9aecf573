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

use std::sync::Arc;

use futures::future::BoxFuture;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use config::Config;

use crate::app::App;

/// The service `catalog`.
pub struct Catalog;

impl Service for Catalog {
    const NAME: &'static str = "catalog";
    const ASKS: &'static [&'static str] = &[];
    type Config = Config;

    fn migrations() -> Migrations {
        store::migrations
    }

    fn build(frame: Frame, _config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        Box::pin(async move {
            let app = App {
                db: frame.db()?,
                outbox: frame.outbox(),
                jobs: frame.jobs()?,
                clock: frame.clock(),
                currency: frame.settings().shop.currency.parse()?,
                files: frame.files_dir(),
            };
            let (grpc, methods) = grpc::routes(&app);
            let import = Arc::new(jobs::import_products::ImportProducts { app });
            Ok(Parts { grpc: Some(grpc), methods, jobs: vec![import], ..Parts::default() })
        })
    }
}
