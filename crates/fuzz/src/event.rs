//! Messages from the bus: headers, an empty line, a payload.
use std::collections::BTreeMap;

use bytes::Bytes;
use souk_events::{Envelope, readable};

/// `name: value` to a line, then an empty line, then the payload. A message that is refused can be
/// shown and kept; one that is read is the same after another way through the bus.
pub fn event(data: &[u8]) {
    let (head, payload) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &b""[..]),
    };
    let head = String::from_utf8_lossy(head);
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let payload = Bytes::copy_from_slice(payload);
    let kept = Envelope::salvage(&headers, payload.clone());
    let again = Envelope::salvage(&headers, payload.clone());
    assert_eq!(kept.id, again.id, "a refused message has another id when it comes again");
    readable(&kept);
    let Ok(read) = Envelope::from_headers(&headers, payload.clone()) else { return };
    readable(&read);
    let _ = read.routing_key();
    let once = Envelope::from_headers(&read.headers(), payload.clone());
    // beyond the times that we write
    let Ok(once) = once else { return };
    let twice = Envelope::from_headers(&once.headers(), payload);
    assert_eq!(twice.as_ref(), Ok(&once), "a message changes on its way");
    let read = (&read.id, &read.event_type, &read.subject, read.epoch, read.version);
    let written = (&once.id, &once.event_type, &once.subject, once.epoch, once.version);
    assert_eq!(read, written, "a message changes on its way");
}
