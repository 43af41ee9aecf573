//! The use cases: each opens its transaction, writes state and event, commits, wakes the relay.
pub(crate) mod cart;
pub(crate) mod integrity;
pub(crate) mod order;
pub(crate) mod payment;
pub(crate) mod personal;
pub(crate) mod quote;
pub(crate) mod rules;
pub(crate) mod saga;

use std::sync::Arc;

use souk_audit::Audit;
use souk_events::Outbox;
use souk_service::Frame;
use souk_storage::Database;
use souk_values::{Clock, Currency};
use tokio::sync::Notify;

use crate::clients::accounts::Accounts;
use crate::clients::catalog::Catalog;
use crate::clients::payment::{Chosen, Provider, TestProvider};
use crate::config::Config;

/// What the use cases share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) db: Database,
    pub(crate) outbox: Outbox,
    pub(crate) audit: Audit,
    pub(crate) clock: Clock,
    /// Of an empty cart.
    pub(crate) currency: Currency,
    pub(crate) config: Arc<Config>,
    pub(crate) catalog: Catalog,
    pub(crate) accounts: Accounts,
    pub(crate) provider: Arc<dyn Provider>,
    /// The provider, if it is the one that keeps cards.
    pub(crate) test_provider: Option<TestProvider>,
    /// Rings when a webhook came.
    pub(crate) webhook_bell: Arc<Notify>,
    /// What is put into carts.
    pub(crate) adds: cart::Adds,
    /// What the shop's staff decided about prices.
    pub(crate) rules: quote::KnownRules,
    /// Orders on their way.
    pub(crate) sagas: saga::Sagas,
}

impl App {
    /// `encode`: how the answer to a placed order is kept.
    pub(crate) fn new(
        frame: &Frame,
        config: Config,
        encode: order::Encode,
    ) -> anyhow::Result<Self> {
        let db = frame.db()?;
        let chosen = Chosen::of(frame, &config, &db)?;
        let app = Self {
            outbox: frame.outbox(),
            audit: frame.audit()?,
            clock: frame.clock(),
            currency: frame.settings().shop.currency.parse()?,
            catalog: Catalog::new(frame.transport("catalog")?),
            accounts: Accounts::new(frame.transport("accounts")?),
            provider: chosen.provider(),
            test_provider: chosen.test(),
            webhook_bell: Arc::default(),
            adds: cart::Adds::new(db.clone(), frame.clock()),
            rules: quote::KnownRules::default(),
            sagas: saga::Sagas::default(),
            config: Arc::new(config),
            db,
        };
        // commits are made by an app that drives nothing: no circle of owners
        let sagas = saga::Sagas::new(app.clone(), encode);
        Ok(Self { sagas, ..app })
    }
}
