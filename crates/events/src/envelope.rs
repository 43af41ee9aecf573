//! A message: CloudEvents 1.0 attributes (binary mode, headers `cloudEvents_<name>`) around one protobuf payload.
use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What a service says about an event; the outbox adds the rest.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// `souk.catalog.product.changed.v1`.
    pub event_type: &'static str,
    /// `product/prd_…`.
    pub subject: String,
    /// Order holds within one key: the aggregate's id.
    pub partition_key: String,
    /// The aggregate's version after the change.
    pub version: u64,
    /// At most 64 KiB.
    pub payload: Vec<u8>,
}

impl NewEvent {
    pub fn new<M: prost::Message>(
        event_type: &'static str,
        subject: String,
        partition_key: String,
        version: u64,
        message: &M,
    ) -> Self {
        Self { event_type, subject, partition_key, version, payload: message.encode_to_vec() }
    }
}

/// An event on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    pub id: Uuid,
    pub event_type: String,
    /// `/catalog`.
    pub source: String,
    pub subject: String,
    pub partition_key: String,
    /// Grows when the producer was restored from a backup; compared before the version.
    pub epoch: u32,
    pub version: u64,
    pub time: DateTime<Utc>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<String>,
    /// W3C context of the request that made the event; consumers link to it.
    pub traceparent: Option<String>,
    pub payload: Bytes,
}

impl Envelope {
    /// The routing key: the type without "souk.".
    pub fn routing_key(&self) -> &str {
        self.event_type.strip_prefix("souk.").unwrap_or(&self.event_type)
    }

    /// The payload as its message.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, prost::DecodeError> {
        M::decode(self.payload.clone())
    }
}
