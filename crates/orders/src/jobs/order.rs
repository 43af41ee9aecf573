//! Sagas that go on, and keys that are forgotten.
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_service::{Schedule, Task};

use crate::app::{App, saga};
use crate::store;

pub(super) fn schedules(app: &App) -> Vec<Schedule> {
    let app = app.clone();
    let forget = move || {
        let app = app.clone();
        async move {
            while store::answer::forget(app.db.write(), app.clock.now()).await? > 0 {}
            Ok(())
        }
        .boxed()
    };
    let every = Duration::from_secs(3600);
    vec![Schedule { name: "forget_answers", every, run: Arc::new(forget) }]
}

pub(super) fn tasks(app: &App) -> Vec<(&'static str, Task)> {
    let app = app.clone();
    vec![("sagas", Box::new(move |stop| saga::run_executor(app, stop).boxed()))]
}
