//! What must always hold of stock, for `souk verify`.
use souk_events::outbox::audit;
use souk_service::{Found, Invariant};
use souk_values::ProductId;

use crate::app::App;
use crate::store;

pub(crate) fn invariants(app: &App) -> Vec<Invariant> {
    let (books, events) = (app.clone(), app.clone());
    let title = "stock is the sum of its ledger, reserved stock the sum of held reservations";
    vec![
        Invariant::new("I01", title, move || {
            let app = books.clone();
            async move { stock(&app).await }
        }),
        Invariant::new("I10", "the last event of a product tells its version", move || {
            let app = events.clone();
            async move { told(&app).await }
        }),
    ]
}

/// Events are kept for a while only. A product that changes meanwhile is looked at again.
async fn told(app: &App) -> anyhow::Result<Found> {
    let kept = app.clock.now() - souk_events::outbox::KEPT / 2;
    let mut found = Found::default();
    let mut after = None;
    loop {
        let page = store::stock::versions(&app.db, after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.looked_at += page.len() as u64;
        let subject = |id: ProductId| format!("product/{id}");
        let young: Vec<_> = page.iter().filter(|product| product.updated_at > kept).collect();
        let subjects: Vec<String> = young.iter().map(|product| subject(product.id)).collect();
        let heads = audit::heads(&app.db, &subjects).await?;
        for product in young {
            let subject = subject(product.id);
            if heads.get(&subject) == Some(&product.version) {
                continue;
            }
            let now = store::product::find(app.db.write(), &product.id.to_string()).await?;
            let Some(now) = now else { continue };
            let head = audit::heads(&app.db, std::slice::from_ref(&subject)).await?;
            let told = head.get(&subject).copied();
            if told.unwrap_or_default() < now.version {
                let last = told.map_or_else(|| "none".to_owned(), |version| version.to_string());
                found.breach(subject, format!("it is at version {}, told was {last}", now.version));
            }
        }
    }
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
