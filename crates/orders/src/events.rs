//! What orders hears.
mod account;

use souk_events::Consumer;

use crate::app::App;

/// Events handled in one transaction at most.
const BATCH: u16 = 64;

/// The queues of this service with their listeners.
pub(crate) fn consumers(app: &App) -> Vec<Consumer> {
    let people = account::AccountHandler::new(app.clone());
    vec![Consumer::new("orders.account.v1", BATCH, people).with_clock(app.clock.clone())]
}
