//! Repeated work: carts that end, sagas that go on, books that are compared.
mod cart;
mod order;
mod payment;

use souk_service::{Schedule, Task};

use crate::app::App;

pub(crate) fn schedules(app: &App) -> Vec<Schedule> {
    [cart::schedules(app), order::schedules(app)].into_iter().flatten().collect()
}

pub(crate) fn tasks(app: &App) -> Vec<(&'static str, Task)> {
    [payment::tasks(app), order::tasks(app)].into_iter().flatten().collect()
}
