//! A service as the house sees it, whatever its type.
use futures::future::BoxFuture;
use souk_storage::Migrations;

use crate::{Frame, Loaded, Parts, Service, SettingsError, Validate};

/// How to build one service.
#[derive(Clone, Copy)]
pub struct Blueprint {
    pub name: &'static str,
    pub asks: &'static [&'static str],
    pub keeps: bool,
    pub(crate) migrations: fn() -> Migrations,
    pub(crate) check: fn(&Loaded) -> Result<(), SettingsError>,
    pub(crate) build: fn(Frame, &Loaded) -> Result<BuildFuture, SettingsError>,
}

type BuildFuture = BoxFuture<'static, anyhow::Result<Parts>>;

/// The blueprint of a service type.
pub fn blueprint<S: Service>() -> Blueprint {
    Blueprint {
        name: S::NAME,
        asks: S::ASKS,
        keeps: S::KEEPS,
        migrations: S::migrations,
        check: |loaded| config::<S>(loaded).map(|_| ()),
        build: |frame, loaded| Ok(S::build(frame, config::<S>(loaded)?)),
    }
}

fn config<S: Service>(loaded: &Loaded) -> Result<S::Config, SettingsError> {
    let config: S::Config = loaded.section(S::NAME)?;
    config.validate(&loaded.settings).map_err(SettingsError)?;
    Ok(config)
}
