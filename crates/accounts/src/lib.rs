//! Accounts: who somebody is, and what they may do. It owns people, roles, credentials, sessions
//! and the key that signs access tokens; every other service believes a token it has signed and
//! knows a person by id only.

mod domain;

mod app;
mod store;

mod clients;
mod grpc;
mod jobs;

mod config;
mod error;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use app::personal::keeper;
pub use app::{App, Surroundings};
pub use config::{
    AdminSecondFactor, Argon2Config, Brake, Config, Delays, GroupActions, PersonalData,
    Registration,
};
pub use domain::mail::letters;
pub use error::Error;
pub use grpc::{METHODS, routes};
pub use jobs::{handlers, schedules};

/// The service.
pub struct Accounts;

impl Service for Accounts {
    const NAME: &'static str = "accounts";
    const ASKS: &'static [&'static str] = &[];
    type Config = Config;

    fn migrations() -> Migrations {
        store::migrations::all
    }

    fn build(frame: Frame, config: Config) -> BoxFuture<'static, anyhow::Result<Parts>> {
        async move {
            let secrets = frame.settings().secrets.clone();
            let around = Surroundings {
                db: frame.db()?,
                outbox: frame.outbox(),
                audit: frame.audit()?,
                jobs: frame.jobs()?,
                clock: frame.clock(),
                verifier: frame.verifier(),
                shop_name: frame.settings().shop.name.clone(),
                keepers: frame.keepers(),
            };
            let app = App::new(
                around,
                config,
                secrets.signing_key.reveal(),
                secrets.previous_signing_key.reveal(),
            )?;
            Ok(Parts {
                grpc: Some(routes(&app)),
                methods: METHODS,
                schedules: schedules(&app),
                jobs: handlers(&app),
                personal: Some(keeper(&app)),
                ..Parts::default()
            })
        }
        .boxed()
    }
}
