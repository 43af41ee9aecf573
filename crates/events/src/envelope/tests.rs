//! Headers there and back.
use super::*;

fn event() -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        event_type: "souk.catalog.product.changed.v1".to_owned(),
        source: "/catalog".to_owned(),
        subject: "product/prd_1".to_owned(),
        partition_key: "prd_1".to_owned(),
        epoch: 2,
        version: 41,
        time: DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
        correlation_id: Some("req_1".to_owned()),
        causation_id: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        payload: Bytes::from_static(b"\x0a\x01x"),
    }
}

#[test]
fn an_envelope_survives_its_headers() {
    let event = event();
    let back = Envelope::from_headers(&event.headers(), event.payload.clone());
    assert_eq!(back, Ok(event));
}

#[test]
fn the_headers_are_those_of_the_contract() {
    let headers = event().headers();
    assert_eq!(headers["cloudEvents_type"], "souk.catalog.product.changed.v1");
    assert_eq!(headers["cloudEvents_sequence"], "00000002000000000041");
    assert_eq!(headers["cloudEvents_time"], "2026-09-21T14:13:20.123456Z");
    assert!(!headers.contains_key("cloudEvents_causationid"));
}

#[test]
fn a_missing_or_malformed_attribute_is_named() {
    for (name, value, reason) in [
        ("id", Some("7"), "id is malformed"),
        ("id", None, "id is missing"),
        ("sequence", Some("12"), "sequence is malformed"),
        ("time", Some("yesterday"), "time is malformed"),
        ("specversion", Some("0.3"), "specversion is not 1.0"),
    ] {
        let mut headers = event().headers();
        headers.remove(&format!("{PREFIX}{name}"));
        if let Some(value) = value {
            headers.insert(format!("{PREFIX}{name}"), value.to_owned());
        }
        assert_eq!(Envelope::from_headers(&headers, Bytes::new()), Err(reason.to_owned()));
    }
}

#[test]
fn a_salvaged_message_keeps_what_can_be_read_and_one_id() {
    let mut headers = event().headers();
    headers.remove("cloudEvents_id");
    let first = Envelope::salvage(&headers, event().payload);
    let second = Envelope::salvage(&headers, event().payload);
    assert_eq!(first, second);
    assert_eq!(first.event_type, "souk.catalog.product.changed.v1");
    assert_ne!(first.id, Envelope::salvage(&headers, Bytes::new()).id);
}
