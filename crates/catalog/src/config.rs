//! Settings of the catalogue.
use serde::Deserialize;
use souk_service::{Settings, Validate};

/// `[catalog]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        Ok(())
    }
}
