//! The use cases' shared things. Every change of this crate passes through this room.
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use souk_audit::Audit;
use souk_jobs::Jobs;
use souk_storage::Database;
use souk_values::Clock;
use tokio::sync::Notify;

mod account;
pub mod compose;
pub mod delivery;
pub mod newsletter;
pub mod notice;
pub mod order;
mod personal;
mod preference;
pub mod request;
mod retention;

pub use account::{AccountNews, Standing};
pub use delivery::Postman;
pub use notice::{Notice, Recipient, Recipients};
pub use order::{Buyer, OrderNews, Told};
pub use personal::keeper;
pub use request::LetterNews;
pub use retention::KEPT;

use crate::config::{DigestSettings, NewsletterSettings, ORDER_LETTERS_PER_HOUR};
use crate::domain::pace;

/// What use cases need. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) db: Database,
    pub(crate) audit: Audit,
    pub(crate) jobs: Jobs,
    pub(crate) clock: Clock,
    pub(crate) shop: Arc<Shop>,
    threshold: u32,
    window: TimeDelta,
    order_notices: bool,
    order_letters_per_hour: u32,
    newsletter_delay_s: u32,
    /// Between two letters of a newsletter.
    newsletter_gap: TimeDelta,
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
        let audit = Audit::new("notifier", db.clone(), clock.clone());
        let jobs = Jobs::new(db.clone(), clock.clone());
        let newsletter = NewsletterSettings::default();
        Self {
            db,
            audit,
            jobs,
            clock,
            shop: Arc::new(shop),
            threshold: digest.threshold,
            window: delta(digest.window.duration()),
            order_notices: true,
            order_letters_per_hour: ORDER_LETTERS_PER_HOUR,
            newsletter_delay_s: newsletter.delay_s,
            newsletter_gap: newsletter.gap(),
            wake: Arc::default(),
        }
    }

    /// The audit of the frame, which seals what is recorded at once.
    #[must_use]
    pub fn with_audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// Whether administrators are told of new orders.
    #[must_use]
    pub fn with_order_notices(mut self, wanted: bool) -> Self {
        self.order_notices = wanted;
        self
    }

    /// How many letters about own orders one buyer gets in an hour.
    #[must_use]
    pub fn with_order_letters_per_hour(mut self, most: u32) -> Self {
        self.order_letters_per_hour = most;
        self
    }

    /// The jobs of the frame, which runs them.
    #[must_use]
    pub fn with_jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = jobs;
        self
    }

    /// How newsletters go out.
    #[must_use]
    pub fn with_newsletters(mut self, settings: &NewsletterSettings) -> Self {
        self.newsletter_delay_s = settings.delay_s;
        self.newsletter_gap = settings.gap();
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
