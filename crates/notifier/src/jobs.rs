//! The long work and the clockwork of this crate.
pub mod newsletter;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_jobs::JobHandler;
use souk_service::Schedule;

use self::newsletter::SendNewsletter;
use crate::app::App;
use crate::clients::accounts::Accounts;
use crate::clients::catalog::Catalog;

pub(crate) fn schedules(app: &App) -> Vec<Schedule> {
    let app = app.clone();
    let forget = move || {
        let app = app.clone();
        async move { app.forget().await.map_err(anyhow::Error::from) }.boxed()
    };
    vec![Schedule {
        name: "forget_letters",
        every: Duration::from_secs(3600),
        run: Arc::new(forget),
    }]
}

/// Who does the long work: one for each kind.
pub(crate) fn handlers(
    app: &App,
    accounts: &Accounts,
    catalog: &Catalog,
) -> Vec<Arc<dyn JobHandler>> {
    vec![Arc::new(SendNewsletter::new(app.clone(), accounts.clone(), catalog.clone()))]
}
