//! Hears `catalog.product.*` and `catalog.stock.*`: names for reports, and changes by day.
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::{ProductChanged, StockMoved};
use souk_storage::Tx;
use souk_values::ProductId;

use crate::app::product::{self, Heard};
use crate::domain::time::day_of;
use crate::store::product::{Known, Stock};

/// Remembers products and counts their changes.
pub struct ProductListener;

#[async_trait::async_trait]
impl Handler for ProductListener {
    type Ready = ();

    async fn prepare(&self, _events: &[Envelope]) -> Result<(), HandleError> {
        Ok(())
    }

    async fn handle(&self, tx: &Tx, events: &[Envelope], _: ()) -> Result<(), HandleError> {
        let mut heard = Heard::default();
        for event in events {
            match event.event_type.as_str() {
                registry::STOCK_MOVED => hear_stock(&mut heard, event)?,
                registry::PRODUCT_CREATED
                | registry::PRODUCT_CHANGED
                | registry::PRODUCT_DELETED
                | registry::PRODUCT_RESTORED => hear_change(&mut heard, event)?,
                other => return Err(poisoned(format!("nobody here knows {other}"))),
            }
        }
        Ok(product::remember(tx, heard).await?)
    }
}

fn hear_change(heard: &mut Heard, event: &Envelope) -> Result<(), HandleError> {
    let change: ProductChanged = event.decode().map_err(|e| poisoned(e.to_string()))?;
    let state = change.state.ok_or_else(|| poisoned("the event has no state".to_owned()))?;
    let known = Known {
        sku: state.sku,
        name: state.name,
        active: state.active,
        stock: state.stock,
        epoch: i64::from(event.epoch),
        version: number(change.version, "version")?,
    };
    let day = day_of(event.time.timestamp_micros());
    heard.changed(product_id(&change.product_id)?, day, known);
    Ok(())
}

fn hear_stock(heard: &mut Heard, event: &Envelope) -> Result<(), HandleError> {
    let moved: StockMoved = event.decode().map_err(|e| poisoned(e.to_string()))?;
    let stock = Stock {
        stock: moved.stock,
        epoch: i64::from(event.epoch),
        seq: number(moved.stock_seq, "stock_seq")?,
    };
    heard.moved(product_id(&moved.product_id)?, stock);
    Ok(())
}

fn product_id(text: &str) -> Result<ProductId, HandleError> {
    text.parse().map_err(|_| poisoned("product_id is not a product's id".to_owned()))
}

fn number(value: u64, name: &str) -> Result<i64, HandleError> {
    i64::try_from(value).map_err(|_| poisoned(format!("{name} is too large")))
}

fn poisoned(reason: String) -> HandleError {
    HandleError::Poisoned(reason)
}
