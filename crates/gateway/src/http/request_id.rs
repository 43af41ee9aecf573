//! Every request has an id: the client's own when it is well formed, else a fresh one. It is in the
//! answer, in problems, in logs, and goes along to the services.
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sets this process apart from others.
static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The client's id if it is 1 to 64 harmless characters, else a new one of 32 hexadecimal digits.
pub(crate) fn of(headers: &HeaderMap) -> HeaderValue {
    let harmless = |v: &&HeaderValue| {
        (1..=64).contains(&v.len())
            && v.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    headers.get(&REQUEST_ID).filter(harmless).cloned().unwrap_or_else(fresh)
}

fn fresh() -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let number = u128::from(*PROCESS) << 64 | u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    let mut text = [0; 32];
    for (at, digit) in text.iter_mut().enumerate() {
        *digit = DIGITS[(number >> (124 - 4 * at) & 0xf) as usize];
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

/// What finds the current request again: the trace's id, else the request's.
pub(crate) fn trace_id() -> String {
    souk_telemetry::trace_id()
        .or_else(|| souk_rpc::current().request_id.map(|id| id.to_string()))
        .unwrap_or_default()
}

/// The same for a request whose context is at hand.
pub(crate) fn trace_of(context: &souk_rpc::CallContext) -> String {
    souk_telemetry::trace_id()
        .or_else(|| context.request_id.as_deref().map(str::to_owned))
        .unwrap_or_default()
}

pub(crate) fn shared(value: &HeaderValue) -> Arc<str> {
    value.to_str().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wild_id_is_replaced() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_static(text));
            of(&headers)
        };
        assert_eq!(of("abc-1"), "abc-1");
        assert_eq!(of("a b").len(), 32);
        assert_ne!(of(""), of(""));
    }
}
