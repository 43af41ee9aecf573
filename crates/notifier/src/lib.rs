//! Who is told what: steps of orders and notices of changes become letters, letters leave by
//! folder, SMTP or SES, and a ledger knows what became of each. An event is one ledger row a
//! recipient; several rows may share the letter of a digest.

pub mod app;
pub mod clients;
pub mod config;
pub mod domain;
pub mod error;
pub mod events;
pub mod grpc;
mod integrity;
pub mod jobs;
pub mod store;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use config::{
    Config, DigestSettings, MailSettings, NewsletterSettings, SenderKind, SesSettings,
};
pub use integrity::invariants;

use crate::app::{App, Postman, Shop};
use crate::clients::accounts::Accounts;
use crate::clients::catalog::Catalog;
use crate::clients::mail;

/// The service.
pub struct Notifier;

impl Service for Notifier {
    const NAME: &'static str = "notifier";
    const ASKS: &'static [&'static str] = &["accounts", "catalog"];
    type Config = Config;

    fn migrations() -> Migrations {
        store::migrations::migrations
    }

    fn build(frame: Frame, config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        build(frame, config).boxed()
    }
}

async fn build(frame: Frame, config: Config) -> anyhow::Result<Parts> {
    let settings = frame.settings();
    let shop = Shop::new(&settings.shop.name, &settings.shop.public_url);
    let app = App::new(frame.db()?, frame.clock(), shop, &config.digest)
        .with_audit(frame.audit()?)
        .with_jobs(frame.jobs()?)
        .with_newsletters(&config.newsletter)
        .with_order_notices(config.order_notices)
        .with_order_letters_per_hour(config.order_letters_per_hour);
    let accounts = Accounts::new(frame.transport("accounts")?);
    let catalog = Catalog::new(frame.transport("catalog")?);
    let folder = settings.data_dir.join("mail");
    let mail = mail::open(&config, &folder).await?;
    let postman = Arc::new(Postman::new(app.clone(), accounts.clone(), mail, &config)?);
    Ok(Parts {
        grpc: Some(grpc::routes(&app, &accounts, config.mail.sender == SenderKind::Folder)),
        methods: grpc::METHODS,
        consumers: events::consumers(&app, &accounts),
        schedules: jobs::schedules(&app),
        jobs: jobs::handlers(&app, &accounts, &catalog),
        invariants: invariants(&app),
        personal: Some(app::keeper(&app, folder)),
        tasks: vec![("postman", Box::new(move |stop| postman.run(stop).boxed()))],
        ..Parts::default()
    })
}
