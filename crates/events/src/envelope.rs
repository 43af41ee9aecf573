//! A message: CloudEvents 1.0 attributes (binary mode, headers `cloudEvents_<name>`) around one
//! protobuf payload.
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

const PREFIX: &str = "cloudEvents_";

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
    /// W3C context of the request that made it; absent: that of the task that appends it.
    pub traceparent: Option<String>,
}

impl NewEvent {
    pub fn new<M: prost::Message>(
        event_type: &'static str,
        subject: String,
        partition_key: String,
        version: u64,
        message: &M,
    ) -> Self {
        let payload = message.encode_to_vec();
        let traceparent = souk_telemetry::traceparent();
        Self { event_type, subject, partition_key, version, payload, traceparent }
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

    /// The attributes as headers, `cloudEvents_<name>` each.
    pub fn headers(&self) -> BTreeMap<String, String> {
        let time = self.time.to_rfc3339_opts(SecondsFormat::Micros, true);
        // String order is number order, as the extension asks, below 10^8 epochs and 10^12
        // versions.
        let sequence = format!("{:08}{:012}", self.epoch, self.version);
        let mut headers = BTreeMap::new();
        let mut put = |name: &str, value: &str| {
            headers.insert(format!("{PREFIX}{name}"), value.to_owned());
        };
        put("specversion", "1.0");
        put("datacontenttype", "application/protobuf");
        put("id", &self.id.to_string());
        put("type", &self.event_type);
        put("source", &self.source);
        put("subject", &self.subject);
        put("partitionkey", &self.partition_key);
        put("sequence", &sequence);
        put("time", &time);
        let optional = [
            ("correlationid", &self.correlation_id),
            ("causationid", &self.causation_id),
            ("traceparent", &self.traceparent),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                put(name, value);
            }
        }
        headers
    }

    /// Reads what [`headers`](Self::headers) wrote. The error says which attribute is missing or
    /// malformed.
    pub fn from_headers(
        headers: &BTreeMap<String, String>,
        payload: Bytes,
    ) -> Result<Self, String> {
        let text = |name: &str| attribute(headers, name).map(str::to_owned);
        let needed = |name: &str| text(name).ok_or_else(|| format!("{name} is missing"));
        let malformed = |name: &str| format!("{name} is malformed");
        if needed("specversion")? != "1.0" {
            return Err("specversion is not 1.0".to_owned());
        }
        if text("datacontenttype").is_some_and(|t| t != "application/protobuf") {
            return Err("datacontenttype is not application/protobuf".to_owned());
        }
        let sequence = needed("sequence")?;
        let (epoch, version) = parse_sequence(&sequence).ok_or_else(|| malformed("sequence"))?;
        Ok(Self {
            id: needed("id")?.parse().map_err(|_| malformed("id"))?,
            event_type: needed("type")?,
            source: needed("source")?,
            subject: needed("subject")?,
            partition_key: needed("partitionkey")?,
            epoch,
            version,
            time: parse_time(&needed("time")?).ok_or_else(|| malformed("time"))?,
            correlation_id: text("correlationid"),
            causation_id: text("causationid"),
            traceparent: text("traceparent"),
            payload,
        })
    }

    /// What can be read of a message that [`from_headers`](Self::from_headers) refuses: the rest is
    /// empty, and a missing id is made from the content, so that it stays the same when the message
    /// comes again.
    pub fn salvage(headers: &BTreeMap<String, String>, payload: Bytes) -> Self {
        let text = |name: &str| attribute(headers, name).map(str::to_owned);
        let (epoch, version) =
            attribute(headers, "sequence").and_then(parse_sequence).unwrap_or_default();
        let id = attribute(headers, "id").and_then(|id| id.parse().ok());
        Self {
            id: id.unwrap_or_else(|| content_id(headers, &payload)),
            event_type: text("type").unwrap_or_default(),
            source: text("source").unwrap_or_default(),
            subject: text("subject").unwrap_or_default(),
            partition_key: text("partitionkey").unwrap_or_default(),
            epoch,
            version,
            time: attribute(headers, "time").and_then(parse_time).unwrap_or_default(),
            correlation_id: text("correlationid"),
            causation_id: text("causationid"),
            traceparent: text("traceparent"),
            payload,
        }
    }
}

fn attribute<'a>(headers: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    headers.get(&format!("{PREFIX}{name}")).map(String::as_str)
}

fn parse_sequence(sequence: &str) -> Option<(u32, u64)> {
    let (epoch, version) = sequence.split_at_checked(8)?;
    Some((epoch.parse().ok()?, version.parse().ok()?))
}

fn parse_time(time: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(time).ok().map(|time| time.to_utc())
}

fn content_id(headers: &BTreeMap<String, String>, payload: &[u8]) -> Uuid {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, headers, payload).hash(&mut hasher);
        hasher.finish()
    };
    let bytes = Uuid::from_u64_pair(half(0), half(1)).into_bytes();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests;
