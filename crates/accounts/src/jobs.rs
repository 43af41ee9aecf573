//! The clockwork of this service: name, period, function.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_service::Schedule;

use crate::App;
use crate::app::housekeeping::forget_expired;

/// What the frame runs again and again.
pub fn schedules(app: &Arc<App>) -> Vec<Schedule> {
    let app = app.clone();
    vec![Schedule {
        name: "forget_expired",
        every: Duration::from_secs(3600),
        run: Arc::new(move || {
            let app = app.clone();
            async move { Ok(forget_expired(&app).await.map(|_| ())?) }.boxed()
        }),
    }]
}
