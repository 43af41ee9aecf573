//! The door for orders: what many of them ask at the same time shares one transaction.
use futures::FutureExt;
use futures::future::join_all;
use souk_storage::Group;
use souk_values::OrderId;

use crate::app::App;
use crate::app::stock::batch;
use crate::domain::stock::{Ask, Done, What};
use crate::error::Error;
use crate::store;

/// Wishes of one transaction.
const TOGETHER: usize = 128;
/// Orders whose time is over, of one turn of the sweeper.
const SWEPT: u64 = 1_000;

/// Takes the wishes of orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Storeroom {
    app: App,
    group: Group<Ask, Result<Done, Error>>,
}

impl Storeroom {
    pub(crate) fn new(app: &App) -> Self {
        let working = app.clone();
        let group = Group::new(TOGETHER, move |asks| {
            let app = working.clone();
            async move { batch::run(&app, asks).await }.boxed()
        });
        Self { app: app.clone(), group }
    }

    /// Answers after the commit. The wish is followed to its end also if the caller goes away.
    pub(crate) async fn ask(
        &self,
        order_id: OrderId,
        actor: String,
        what: What,
    ) -> Result<Done, Error> {
        let traceparent = souk_telemetry::traceparent();
        let ask = Ask { order_id, what, actor, traceparent };
        self.group.submit(ask).await.map_err(|_| Error::Abandoned)?
    }

    /// Ends reservations that are held past their time; answers how many orders had one.
    pub(crate) async fn sweep(&self) -> Result<usize, Error> {
        let overdue =
            store::reservation::overdue(&self.app.db, self.app.clock.now(), SWEPT).await?;
        let asks = overdue.iter().map(|order| self.ask(*order, "catalog".to_owned(), What::Expire));
        for done in join_all(asks).await {
            done?;
        }
        Ok(overdue.len())
    }
}
