//! What must always hold of the figures, for `souk verify`.
use souk_service::{Found, Invariant};
use souk_storage::Database;
use souk_values::OrderId;

use crate::app::App;
use crate::domain::sale::effects;
use crate::store::{audit, sale};

/// Orders counted anew at a time.
const SLICE: u64 = 500;

/// The invariants of this service.
pub fn invariants(app: &App) -> Vec<Invariant> {
    let db = app.db.clone();
    let title = "sales totals equal the sum of their facts, and these what orders' steps come to";
    vec![Invariant::new("I13", title, move || {
        let db = db.clone();
        async move { sales(&db).await }
    })]
}

async fn sales(db: &Database) -> anyhow::Result<Found> {
    let mut found = Found::of(0);
    for off in audit::orders(db.write()).await? {
        found.breach(format!("day/{} {}", off.day, off.currency), off.to_string());
    }
    for off in audit::products(db.write()).await? {
        let subject = format!("product/{} day/{} {}", off.product_id, off.day, off.currency);
        found.breach(subject, off.to_string());
    }
    let mut after = None;
    loop {
        let orders = audit::orders_after(db.write(), after, SLICE).await?;
        let Some(last) = orders.last().copied() else { return Ok(found) };
        found.looked_at += orders.len() as u64;
        let suspects = differing(db.write(), &orders).await?;
        if !suspects.is_empty() {
            // a step may have come between two questions: now without one
            let tx = db.begin().await?;
            audit::lock(&tx, &suspects).await?;
            for order in differing(&tx, &suspects).await? {
                found.breach(format!("order/{order}"), "its facts are not what its steps come to");
            }
            tx.rollback().await?;
        }
        after = Some(last);
    }
}

async fn differing(
    db: &impl sea_orm::ConnectionTrait,
    orders: &[OrderId],
) -> Result<Vec<OrderId>, sea_orm::DbErr> {
    let mut steps = sale::steps(db, orders).await?;
    let mut facts = sale::effects(db, orders).await?;
    let differs = |order: &OrderId| {
        let counted = effects(&steps.remove(order).unwrap_or_default());
        counted != facts.remove(order).unwrap_or_default()
    };
    Ok(orders.iter().copied().filter(differs).collect())
}
