//! Accounts: who somebody is, and what they may do. It owns people, roles, credentials, sessions
//! and the key that signs access tokens; every other service believes a token it has signed and
//! knows a person by id only.

mod domain;

mod app;
mod store;

mod grpc;
mod jobs;

mod config;
mod error;

use futures::FutureExt;
use futures::future::BoxFuture;
use souk_service::{Frame, Parts, Service};
use souk_storage::Migrations;

pub use app::{App, Surroundings};
pub use config::{Argon2Config, Config};
pub use error::Error;
pub use grpc::{METHODS, routes};
pub use jobs::schedules;

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
            let signing_key = frame.settings().secrets.signing_key.clone();
            let around = Surroundings {
                db: frame.db()?,
                outbox: frame.outbox(),
                clock: frame.clock(),
                verifier: frame.verifier(),
            };
            let app = App::new(around, config, signing_key.reveal())?;
            Ok(Parts {
                grpc: Some(routes(&app)),
                methods: METHODS,
                schedules: schedules(&app),
                ..Parts::default()
            })
        }
        .boxed()
    }
}
