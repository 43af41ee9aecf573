//! The long work of the catalogue, and its clockwork.

pub(crate) mod import_products;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use souk_service::Schedule;

use crate::app::stock::Storeroom;

/// What the frame runs again and again.
pub(crate) fn schedules(storeroom: &Storeroom) -> Vec<Schedule> {
    let storeroom = storeroom.clone();
    vec![Schedule {
        name: "expire_reservations",
        every: Duration::from_secs(1),
        run: Arc::new(move || {
            let storeroom = storeroom.clone();
            async move {
                let orders = storeroom.sweep().await?;
                if orders > 0 {
                    tracing::info!(orders, "reservations expired");
                }
                Ok(())
            }
            .boxed()
        }),
    }]
}
