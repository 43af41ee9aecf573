//! The long work of this service, and its clockwork: name, period, function.

mod data_request;
mod group_action;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_jobs::JobHandler;
use souk_service::Schedule;

use self::data_request::{ErasePerson, ExportPerson};
use self::group_action::GroupAction;
use crate::App;
use crate::app::block::lift_ended;
use crate::app::data_request::export::forget as forget_exports;
use crate::app::housekeeping::{forget_expired, forget_pending};
use crate::app::second_factor::reseal;
use crate::domain::group_action::Action;

/// What the frame runs again and again.
pub fn schedules(app: &Arc<App>) -> Vec<Schedule> {
    let (forgetful, resealing) = (app.clone(), app.clone());
    let (pending, lifting) = (app.clone(), app.clone());
    let exports = app.clone();
    vec![
        Schedule {
            name: "forget_exports",
            every: Duration::from_secs(600),
            run: Arc::new(move || {
                let app = exports.clone();
                async move { Ok(forget_exports(&app).await.map(|_| ())?) }.boxed()
            }),
        },
        Schedule {
            name: "lift_ended_blocks",
            every: Duration::from_secs(30),
            run: Arc::new(move || {
                let app = lifting.clone();
                async move { Ok(lift_ended(&app).await.map(|_| ())?) }.boxed()
            }),
        },
        Schedule {
            name: "forget_expired",
            every: Duration::from_secs(3600),
            run: Arc::new(move || {
                let app = forgetful.clone();
                async move { Ok(forget_expired(&app).await.map(|_| ())?) }.boxed()
            }),
        },
        Schedule {
            name: "forget_pending",
            every: Duration::from_secs(600),
            run: Arc::new(move || {
                let app = pending.clone();
                async move { Ok(forget_pending(&app).await.map(|_| ())?) }.boxed()
            }),
        },
        Schedule {
            name: "reseal_second_factors",
            every: Duration::from_secs(3600),
            run: Arc::new(move || {
                let app = resealing.clone();
                async move { Ok(reseal(&app).await.map(|_| ())?) }.boxed()
            }),
        },
    ]
}

/// Who does the long work: one for each kind.
pub fn handlers(app: &Arc<App>) -> Vec<Arc<dyn JobHandler>> {
    let group = |action| GroupAction { app: app.clone(), action };
    let groups =
        Action::ALL.into_iter().map(|action| Arc::new(group(action)) as Arc<dyn JobHandler>);
    let people: [Arc<dyn JobHandler>; 2] =
        [Arc::new(ExportPerson { app: app.clone() }), Arc::new(ErasePerson { app: app.clone() })];
    groups.chain(people).collect()
}
