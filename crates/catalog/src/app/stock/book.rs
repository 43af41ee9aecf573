//! What a moved shelf leaves behind: its next number, events, rows of the ledger.
use std::collections::{BTreeMap, BTreeSet};

use souk_events::{NewEvent, registry};
use souk_proto::events::v1::{StockLow, StockMoved};
use souk_storage::Tx;
use souk_values::{MovementId, ProductId};

use crate::app::App;
use crate::app::product::Told;
use crate::domain::product::Product;
use crate::domain::stock::{Movement, MovementKind, Shelf};
use crate::error::Error;
use crate::store;

/// Gives a shelf that was moved its next number and answers what must be told. `quiet`: low stock is
/// no news. `traceparent`: of the request that moved it; absent: that of this task.
pub(super) fn next(
    shelf: &mut Shelf,
    shops_threshold: i64,
    quiet: bool,
    traceparent: Option<String>,
) -> Vec<NewEvent> {
    shelf.stock_seq += 1;
    let id = shelf.id.to_string();
    let message = StockMoved {
        product_id: id.clone(),
        stock_seq: shelf.stock_seq.unsigned_abs(),
        stock: shelf.available(),
    };
    let subject = format!("stock/{id}");
    let seq = shelf.stock_seq.unsigned_abs();
    let mut events =
        vec![NewEvent::new(registry::STOCK_MOVED, subject.clone(), subject, seq, &message)];
    if !quiet && let Some(threshold) = shelf.look_low(shops_threshold) {
        let message = StockLow {
            product_id: id.clone(),
            sku: shelf.sku.clone(),
            name: shelf.name.clone(),
            available: shelf.available().unwrap_or_default(),
            threshold,
            slug: shelf.slug.clone(),
        };
        // counted by itself: not every movement is one of these
        let subject = format!("low/{id}");
        let seq = shelf.low_seq.unsigned_abs();
        events.push(NewEvent::new(registry::STOCK_LOW, subject.clone(), subject, seq, &message));
    }
    if traceparent.is_some() {
        events.iter_mut().for_each(|event| event.traceparent.clone_from(&traceparent));
    }
    events
}

/// Books what writing products has done to stock, in the transaction that holds them: a new
/// product's stock is its `initial` row, a new value of an old one is a `count`. `changed` are old
/// and new states. Answers what must be told.
pub(crate) async fn written(
    app: &App,
    tx: &Tx,
    created: &[Product],
    changed: &[(&Product, &Product)],
    told: &Told<'_>,
) -> Result<Vec<NewEvent>, Error> {
    let now = app.clock.now();
    let row = |product: &Product, kind, quantity| Movement {
        id: MovementId::new(),
        product_id: product.id,
        kind,
        quantity,
        on_hand_after: product.on_hand,
        reason: String::new(),
        order_id: None,
        return_id: String::new(),
        actor: told.actor.to_owned(),
        at: now,
    };
    let with_stock = created.iter().filter(|product| product.on_hand != 0);
    let mut ledger: Vec<Movement> =
        with_stock.map(|p| row(p, MovementKind::Initial, p.on_hand)).collect();
    let mut counted: BTreeMap<ProductId, &Product> = BTreeMap::new();
    for &(old, new) in changed {
        if old.on_hand != new.on_hand {
            ledger.push(row(new, MovementKind::Count, new.on_hand - old.on_hand));
            counted.insert(new.id, new);
        }
    }
    let mut events = Vec::new();
    if !counted.is_empty() {
        let ids: BTreeSet<ProductId> = counted.keys().copied().collect();
        let mut shelves = store::stock::lock(tx, &ids).await?;
        for shelf in &mut shelves {
            let Some(product) = counted.get(&shelf.id) else { continue };
            shelf.on_hand = product.on_hand;
            events.extend(next(shelf, app.stock.low, told.quiet, None));
        }
        store::stock::save(tx, &shelves).await?;
    }
    store::movement::insert(tx, &ledger).await?;
    Ok(events)
}
