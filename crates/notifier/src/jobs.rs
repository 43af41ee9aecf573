//! The clockwork of this crate.
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_service::Schedule;

use crate::app::App;

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
