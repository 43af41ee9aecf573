//! Payloads for people.
use std::fmt::Write;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use crate::Envelope;

static CONTRACTS: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(souk_proto::DESCRIPTORS).ok());

/// The payload as JSON in the words of its contract, or in hexadecimal when it cannot be decoded.
pub fn readable(event: &Envelope) -> String {
    json(event).unwrap_or_else(|| hexadecimal(&event.payload))
}

fn json(event: &Envelope) -> Option<String> {
    let message = CONTRACTS.as_ref()?.get_message_by_name(message(&event.event_type)?)?;
    let payload = DynamicMessage::decode(message, event.payload.clone()).ok()?;
    let options =
        SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let value = payload.serialize_with_options(serde_json::value::Serializer, &options).ok()?;
    Some(value.to_string())
}

/// The contract that an event of this type carries.
fn message(event_type: &str) -> Option<&'static str> {
    let name = event_type.strip_prefix("souk.")?.strip_suffix(".v1")?;
    Some(match (name, name.rsplit_once('.')?.0) {
        ("catalog.stock.low", _) => "souk.events.v1.StockLow",
        (_, "catalog.product") => "souk.events.v1.ProductChanged",
        (_, "catalog.stock") => "souk.events.v1.StockMoved",
        (_, "accounts.user") => "souk.events.v1.UserChanged",
        (_, "accounts.session") => "souk.events.v1.SessionEnded",
        (_, "accounts.letter") => "souk.events.v1.LetterRequested",
        (_, "accounts.block") => "souk.events.v1.BlockChanged",
        (_, "orders.order") => "souk.events.v1.OrderChanged",
        (_, "gateway.products") => "souk.events.v1.ProductsViewed",
        _ => return None,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use souk_proto::events::v1::{ProductChanged, StockMoved};
    use uuid::Uuid;

    use super::*;
    use crate::registry;

    fn event(event_type: &str, payload: Vec<u8>) -> Envelope {
        Envelope {
            id: Uuid::now_v7(),
            event_type: event_type.to_owned(),
            source: "/catalog".to_owned(),
            subject: "product/prd_1".to_owned(),
            partition_key: "prd_1".to_owned(),
            epoch: 1,
            version: 1,
            time: souk_values::Clock::system().now(),
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            payload: payload.into(),
        }
    }

    #[test]
    fn a_payload_is_printed_in_the_words_of_its_contract() {
        let moved = StockMoved { product_id: "prd_1".into(), stock_seq: 7, stock: Some(3) };
        let text = readable(&event(registry::STOCK_MOVED, prost::Message::encode_to_vec(&moved)));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json, serde_json::json!({"product_id": "prd_1", "stock_seq": 7, "stock": 3}));
    }

    #[test]
    fn every_event_of_the_registry_has_a_contract() {
        let empty = prost::Message::encode_to_vec(&ProductChanged::default());
        for event_type in [
            registry::PRODUCT_CREATED,
            registry::PRODUCT_CHANGED,
            registry::PRODUCT_DELETED,
            registry::PRODUCT_RESTORED,
            registry::STOCK_MOVED,
            registry::STOCK_LOW,
            registry::SESSION_ENDED,
            registry::LETTER_REQUESTED,
            registry::BLOCK_CHANGED,
            registry::ORDER_PLACED,
            registry::ORDER_REVIEW,
            registry::USER_CREATED,
            registry::USER_CHANGED,
            registry::USER_DELETED,
            registry::PRODUCTS_VIEWED,
        ] {
            assert_eq!(readable(&event(event_type, empty.clone())), "{}", "{event_type}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_printed_in_hexadecimal() {
        assert_eq!(readable(&event(registry::STOCK_MOVED, vec![0xff, 0x00, 0x1a])), "ff001a");
        assert_eq!(readable(&event("souk.other.thing.done.v1", vec![1])), "01");
    }
}
