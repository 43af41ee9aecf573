//! Carts that nobody comes back for.
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_service::Schedule;

use crate::app::App;
use crate::app::cart::end_idle_guests;

pub(super) fn schedules(app: &App) -> Vec<Schedule> {
    let app = app.clone();
    vec![Schedule {
        name: "end_idle_guest_carts",
        every: Duration::from_secs(3600),
        run: Arc::new(move || {
            let app = app.clone();
            async move { Ok(end_idle_guests(&app).await.map(|_| ())?) }.boxed()
        }),
    }]
}
