//! Messages as RabbitMQ carries them: CloudEvents attributes and our own notes in the headers.
use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use souk_values::Clock;

use crate::Envelope;

const PERSISTENT: u8 = 2;
/// Deliveries that were answered so far; those that were not are counted by the broker.
const ATTEMPT: &str = "souk-attempt";
const NOT_BEFORE: &str = "souk-not-before-us";
const REASON: &str = "souk-reason";
const ATTEMPTS: &str = "souk-attempts";
const PARKED_AT: &str = "souk-parked-at-us";

/// A body with its properties, ready to be published.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
}

impl Message {
    pub(super) fn of(event: &Envelope) -> Self {
        let mut headers = FieldTable::default();
        for (name, value) in event.headers() {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/protobuf".into())
            .with_message_id(event.id.to_string().into())
            .with_type(event.event_type.as_str().into())
            .with_headers(headers);
        Self { properties, body: event.payload.clone() }
    }

    /// Takes the content out of a delivery.
    pub(super) fn taken_from(delivery: &mut Delivery) -> Self {
        let properties = std::mem::take(&mut delivery.properties);
        Self { properties, body: std::mem::take(&mut delivery.data).into() }
    }

    pub(super) fn envelope(&self) -> Result<Envelope, String> {
        Envelope::from_headers(&texts(&self.properties), self.body.clone())
    }

    pub(super) fn salvage(&self) -> Envelope {
        Envelope::salvage(&texts(&self.properties), self.body.clone())
    }

    /// To be delivered again after `attempts` deliveries, not before the given time.
    pub(super) fn again(&self, attempts: u32, not_before_us: Option<i64>) -> Self {
        let not_before = not_before_us.map(AMQPValue::LongLongInt);
        self.noted([
            (ATTEMPT, Some(AMQPValue::LongLongInt(attempts.into()))),
            (NOT_BEFORE, not_before),
        ])
    }

    pub(super) fn parked(&self, death: &Death) -> Self {
        self.noted([
            (REASON, Some(AMQPValue::LongString(death.reason.as_str().into()))),
            (ATTEMPTS, Some(AMQPValue::LongLongInt(death.attempts.into()))),
            (PARKED_AT, Some(AMQPValue::LongLongInt(death.at.timestamp_micros()))),
            (ATTEMPT, None),
            (NOT_BEFORE, None),
        ])
    }

    /// A copy with these notes; those of brokers stay behind.
    fn noted<const N: usize>(&self, notes: [(&str, Option<AMQPValue>); N]) -> Self {
        let mut headers = FieldTable::default();
        for (name, value) in table(&self.properties) {
            if !name.starts_with("x-") && notes.iter().all(|(note, _)| *note != name) {
                headers.insert(name.into(), value.clone());
            }
        }
        for (name, value) in notes {
            if let Some(value) = value {
                headers.insert(name.into(), value);
            }
        }
        let properties = self.properties.clone();
        let properties = properties.with_headers(headers).with_delivery_mode(PERSISTENT);
        Self { properties, body: self.body.clone() }
    }
}

/// Why, after how many deliveries, and when a message died.
pub(super) struct Death {
    pub(super) reason: String,
    pub(super) attempts: u32,
    pub(super) at: DateTime<Utc>,
}

impl Death {
    pub(super) fn now(reason: &str, attempts: u32) -> Self {
        Self { reason: reason.to_owned(), attempts, at: Clock::system().now() }
    }

    /// What our notes say, or else the broker's.
    pub(super) fn of(properties: &BasicProperties) -> Self {
        let reason = text(properties, REASON).or_else(|| text(properties, "x-first-death-reason"));
        let attempts = number(properties, ATTEMPTS)
            .or_else(|| number(properties, ATTEMPT))
            .or_else(|| number(properties, "x-delivery-count"));
        let at = number(properties, PARKED_AT)
            .and_then(DateTime::from_timestamp_micros)
            .or_else(|| broker_time(properties));
        Self {
            reason: reason.unwrap_or_else(|| "unknown".to_owned()),
            attempts: attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(0),
            at: at.unwrap_or_else(|| Clock::system().now()),
        }
    }
}

/// 1 for the first delivery.
pub(super) fn attempt(properties: &BasicProperties) -> u32 {
    let answered = number(properties, ATTEMPT).unwrap_or(0);
    let unanswered = number(properties, "x-delivery-count").unwrap_or(0);
    u32::try_from(answered.saturating_add(unanswered).saturating_add(1)).unwrap_or(u32::MAX)
}

/// The time from which on the message may be handled, if it came back before it.
pub(super) fn not_before_us(properties: &BasicProperties) -> Option<i64> {
    number(properties, NOT_BEFORE)
}

fn broker_time(properties: &BasicProperties) -> Option<DateTime<Utc>> {
    let AMQPValue::FieldArray(deaths) = value(properties, "x-death")? else { return None };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
    let AMQPValue::Timestamp(seconds) = last.inner().get("time")? else { return None };
    DateTime::from_timestamp(i64::try_from(*seconds).ok()?, 0)
}

fn table(properties: &BasicProperties) -> impl Iterator<Item = (&str, &AMQPValue)> {
    let headers = properties.headers().iter();
    headers.flat_map(|table| table.inner()).map(|(name, value)| (name.as_str(), value))
}

fn value<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    table(properties).find(|(header, _)| *header == name).map(|(_, value)| value)
}

fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    value(properties, name).and_then(as_text)
}

fn as_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match value(properties, name)? {
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::ShortUInt(n) => Some((*n).into()),
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortShortUInt(n) => Some((*n).into()),
        _ => None,
    }
}

fn texts(properties: &BasicProperties) -> BTreeMap<String, String> {
    let texts =
        table(properties).filter_map(|(name, value)| Some((name.to_owned(), as_text(value)?)));
    texts.collect()
}
