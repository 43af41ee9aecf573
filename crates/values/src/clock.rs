//! The time of day as an argument, so that tests own it.
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// Where the time comes from. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `at` until it is moved.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.timestamp_micros()))))
    }

    /// Now, cut to microseconds: PostgreSQL keeps no more, and both stores must answer alike.
    #[allow(clippy::disallowed_methods, reason = "the one place that may ask the machine")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            None => Utc::now().trunc_subsecs(6),
            Some(us) => {
                DateTime::from_timestamp_micros(us.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }

    /// Microseconds since the Unix epoch.
    pub fn now_us(&self) -> i64 {
        self.now().timestamp_micros()
    }

    /// Moves a fixed clock; the system's clock cannot be moved and stays.
    pub fn advance(&self, by: Duration) {
        if let (Some(us), Some(by)) = (&self.0, by.num_microseconds()) {
            us.fetch_add(by, Ordering::SeqCst);
        }
    }
}
