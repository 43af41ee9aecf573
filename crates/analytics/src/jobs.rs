//! The clockwork of analytics.
use std::sync::Arc;
use std::time::Duration;

use souk_service::Schedule;

use crate::app::{App, retention};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Old views are forgotten once a day.
pub fn schedules(app: &App) -> Vec<Schedule> {
    let app = app.clone();
    let prune = move || {
        let app = app.clone();
        let run = async move { Ok(retention::prune(&app).await.map(drop)?) };
        Box::pin(run) as futures::future::BoxFuture<'static, anyhow::Result<()>>
    };
    vec![Schedule { name: "prune_views", every: DAY, run: Arc::new(prune) }]
}
