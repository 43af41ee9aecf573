//! What must always hold of the ledger, for `souk verify`.
use souk_service::{Found, Invariant};

use crate::app::App;
use crate::store::notification;

/// The invariants of this service.
pub fn invariants(app: &App) -> Vec<Invariant> {
    let db = app.db.clone();
    let title = "nobody was sent two letters about one event";
    vec![Invariant::new("I12", title, move || {
        let db = db.clone();
        async move {
            let (sent, doubled) = notification::doubled(db.write()).await?;
            let mut found = Found { looked_at: sent, breaches: Vec::new() };
            for (event_id, times) in doubled {
                let detail = format!("one recipient was sent {times} letters about it");
                found.breach(format!("event/{event_id}"), detail);
            }
            Ok(found)
        }
    })]
}
