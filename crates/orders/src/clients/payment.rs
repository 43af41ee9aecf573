//! Payment providers.
mod provider;
mod signature;
mod stripe;
pub(crate) mod test;

use std::sync::Arc;
use std::time::Duration;

use souk_service::Frame;
use souk_storage::Database;

pub(crate) use provider::Provider;
pub(crate) use test::TestProvider;

use crate::config::Config;

/// The provider that the settings name.
pub(crate) enum Chosen {
    Test(TestProvider),
    Stripe(stripe::Stripe),
}

impl Chosen {
    pub(crate) fn of(frame: &Frame, config: &Config, db: &Database) -> anyhow::Result<Self> {
        let timeout = Duration::from_millis(config.payments.timeout_ms);
        if config.payments.provider == "stripe" {
            let public_url = &frame.settings().shop.public_url;
            return Ok(Self::Stripe(stripe::Stripe::new(&config.stripe, public_url, timeout)?));
        }
        let default_method = config.payments.default_method;
        Ok(Self::Test(TestProvider::new(db.clone(), frame.clock(), default_method, timeout)))
    }

    pub(crate) fn provider(&self) -> Arc<dyn Provider> {
        match self {
            Self::Test(test) => Arc::new(test.clone()),
            Self::Stripe(stripe) => Arc::new(stripe.clone()),
        }
    }

    pub(crate) fn test(&self) -> Option<TestProvider> {
        match self {
            Self::Test(test) => Some(test.clone()),
            Self::Stripe(_) => None,
        }
    }
}
