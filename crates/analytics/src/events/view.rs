//! Hears `gateway.products.viewed`: batches of views.
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::ProductsViewed;
use souk_storage::Tx;

use crate::app;
use crate::domain::tally::{Tally, View};

/// Counts views.
pub struct ViewListener;

#[async_trait::async_trait]
impl Handler for ViewListener {
    type Ready = ();

    async fn prepare(&self, _events: &[Envelope]) -> Result<(), HandleError> {
        Ok(())
    }

    async fn handle(&self, tx: &Tx, events: &[Envelope], _: ()) -> Result<(), HandleError> {
        let mut batches = Vec::with_capacity(events.len());
        for event in events {
            if event.event_type != registry::PRODUCTS_VIEWED {
                let reason = format!("nobody here knows {}", event.event_type);
                return Err(HandleError::Poisoned(reason));
            }
            let batch: ProductsViewed =
                event.decode().map_err(|e| HandleError::Poisoned(e.to_string()))?;
            batches.push((event.time.timestamp_micros(), batch));
        }
        let mut tally = Tally::default();
        for (told_us, batch) in &batches {
            for view in &batch.views {
                let parsed = View::parse(&view.product_id, &view.viewer, view.at_us, *told_us);
                tally.add(parsed.map_err(|e| HandleError::Poisoned(e.to_string()))?);
            }
        }
        Ok(app::view::count(tx, &tally).await?)
    }
}
