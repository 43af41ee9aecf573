//! What analytics hears: views by the batch, every change of a product or its stock,
//! and the steps of orders.
mod order;
mod product;
mod view;

use souk_events::Consumer;

pub use order::OrderListener;
pub use product::ProductListener;
pub use view::ViewListener;

/// Messages of one transaction. A message holds up to a thousand views.
const VIEW_BATCH: u16 = 8;
const PRODUCT_BATCH: u16 = 100;
const ORDER_BATCH: u16 = 100;

/// The queues of this service with their listeners.
pub fn consumers() -> Vec<Consumer> {
    vec![
        Consumer::new("analytics.view.v1", VIEW_BATCH, ViewListener),
        Consumer::new("analytics.product.v1", PRODUCT_BATCH, ProductListener),
        Consumer::new("analytics.order.v1", ORDER_BATCH, OrderListener),
    ]
}
