//! What must always hold of stock, for `souk verify`.
use souk_service::{Found, Invariant};

use crate::app::App;
use crate::store;

pub(crate) fn invariants(app: &App) -> Vec<Invariant> {
    let app = app.clone();
    let title = "stock is the sum of its ledger, reserved stock the sum of held reservations";
    vec![Invariant::new("I01", title, move || {
        let app = app.clone();
        async move { stock(&app).await }
    })]
}

async fn stock(app: &App) -> anyhow::Result<Found> {
    let (looked_at, breaches) = store::stock::check(&app.db).await?;
    let mut found = Found { looked_at, breaches: Vec::new() };
    for broken in breaches {
        let subject = format!("product/{}", broken.id);
        if broken.on_hand != broken.booked {
            let detail =
                format!("on hand are {}, but the ledger says {}", broken.on_hand, broken.booked);
            found.breach(subject.clone(), detail);
        }
        if broken.reserved != broken.held {
            let detail =
                format!("reserved are {}, but orders hold {}", broken.reserved, broken.held);
            found.breach(subject.clone(), detail);
        }
        if !(0..=broken.on_hand).contains(&broken.reserved) {
            let detail = format!("reserved are {} of {} on hand", broken.reserved, broken.on_hand);
            found.breach(subject, detail);
        }
    }
    Ok(found)
}
