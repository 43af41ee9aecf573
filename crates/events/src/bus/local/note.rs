//! What stands beside a dead letter: why, how often it was tried, since when.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Note {
    pub(super) reason: String,
    pub(super) attempts: u32,
    parked_at_us: i64,
}

impl Note {
    pub(super) fn new(reason: &str, attempts: u32, parked_at_us: i64) -> Self {
        Self { reason: reason.to_owned(), attempts, parked_at_us }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn from_json(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    pub(super) fn parked_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.parked_at_us).unwrap_or_default()
    }
}
