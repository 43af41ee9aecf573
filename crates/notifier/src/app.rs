//! The use cases' shared things. Every change of this crate passes through this room.
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use souk_storage::Database;
use souk_values::Clock;
use tokio::sync::Notify;

mod account;
pub mod compose;
pub mod delivery;
pub mod notice;
pub mod order;
mod preference;
mod retention;

pub use account::{AccountNews, Standing};
pub use delivery::Postman;
pub use notice::{Notice, Recipient, Recipients};
pub use order::{Buyer, OrderNews, Told};
pub use retention::KEPT;

use crate::config::DigestSettings;
use crate::domain::pace;

/// What use cases need. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    pub(crate) shop: Arc<Shop>,
    threshold: u32,
    window: TimeDelta,
    order_notices: bool,
    wake: Arc<Notify>,
}

/// What letters say about the shop.
#[derive(Clone, Debug)]
pub struct Shop {
    pub name: String,
    /// Without a slash at the end.
    pub public_url: String,
}

impl Shop {
    pub fn new(name: &str, public_url: &str) -> Self {
        Self { name: name.to_owned(), public_url: public_url.trim_end_matches('/').to_owned() }
    }
}

impl App {
    pub fn new(db: Database, clock: Clock, shop: Shop, digest: &DigestSettings) -> Self {
        Self {
            db,
            clock,
            shop: Arc::new(shop),
            threshold: digest.threshold,
            window: delta(digest.window.duration()),
            order_notices: true,
            wake: Arc::default(),
        }
    }

    /// Whether administrators are told of new orders.
    #[must_use]
    pub fn with_order_notices(mut self, wanted: bool) -> Self {
        self.order_notices = wanted;
        self
    }

    pub(crate) fn tells_of_new_orders(&self) -> bool {
        self.order_notices
    }

    /// Tells the sender of this process that a letter may be due. To be called after the commit.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Until [`wake`](Self::wake) is called; a call before this one counts.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// A bounded setting as a difference of times.
pub(crate) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(pace::MINUTE)
}
