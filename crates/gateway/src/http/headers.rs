//! Headers of every answer: what browsers must not do with it.
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, Entry};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::request_id;

const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const CROSS_ORIGIN: HeaderValue = HeaderValue::from_static("cross-origin");

/// Of everything, unless the answer has its own.
const FIXED: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (CORP, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Of what is no page: nothing in it is ever run or shown.
const DATA_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Of pages: only what is the shop's own. The one inline style, that of the layout, is known by its hash.
static PAGE_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let layout = include_str!("../../templates/layout.html");
    let style = layout.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let style = style.map(|(style, _)| style).unwrap_or_default();
    let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
    let policy = format!(
        "default-src 'self'; style-src 'self' 'sha256-{hash}'; img-src 'self' data:; object-src 'none'; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    HeaderValue::from_str(&policy).unwrap_or(DATA_POLICY)
});

/// What an answer is about, as far as its headers depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// The shop is at `https://`.
    pub(crate) secure: bool,
    /// A public picture: other sites and letters may show it.
    pub(crate) picture: bool,
}

/// Adds what is missing to a routed answer.
pub(crate) fn complete(headers: &mut HeaderMap, about: About) {
    headers.reserve(FIXED.len() + 4);
    if about.picture {
        missing(headers, CORP, || CROSS_ORIGIN);
    }
    for (name, value) in FIXED {
        missing(headers, name, || value);
    }
    let page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    let policy = || if page { PAGE_POLICY.clone() } else { DATA_POLICY };
    missing(headers, header::CONTENT_SECURITY_POLICY, policy);
    if about.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

fn missing(headers: &mut HeaderMap, name: HeaderName, value: impl FnOnce() -> HeaderValue) {
    if let Entry::Vacant(entry) = headers.entry(name) {
        entry.insert(value());
    }
}

/// Headers of hot answers, made once: each answer takes a copy and puts in its tag and id.
pub(crate) struct HotHeaders {
    whole: HeaderMap,
    unchanged: HeaderMap,
}

impl HotHeaders {
    pub(crate) fn new(secure: bool) -> Self {
        let mut unchanged = HeaderMap::with_capacity(16);
        unchanged.insert(header::ETAG, HeaderValue::from_static("\"0\""));
        unchanged.insert(header::CACHE_CONTROL, NO_CACHE);
        unchanged.insert(request_id::REQUEST_ID, HeaderValue::from_static("0"));
        complete(&mut unchanged, About { secure, picture: false });
        let mut whole = unchanged.clone();
        whole.insert(header::CONTENT_TYPE, JSON);
        Self { whole, unchanged }
    }

    /// `current`: the client's copy is, and the answer a 304.
    pub(crate) fn of(&self, current: bool, etag: &HeaderValue, id: HeaderValue) -> HeaderMap {
        let mut headers = if current { self.unchanged.clone() } else { self.whole.clone() };
        headers.insert(header::ETAG, etag.clone());
        headers.insert(request_id::REQUEST_ID, id);
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s23_every_kind_of_answer_has_its_headers() {
        let hot = HotHeaders::new(true);
        let tag = HeaderValue::from_static("\"7.1\"");
        let whole = hot.of(false, &tag, HeaderValue::from_static("r1"));
        assert_eq!(whole[header::ETAG], "\"7.1\"");
        assert_eq!(whole[request_id::REQUEST_ID], "r1");
        assert_eq!(whole[header::CONTENT_TYPE], "application/json");
        let unchanged = hot.of(true, &tag, HeaderValue::from_static("r1"));
        assert!(!unchanged.contains_key(header::CONTENT_TYPE));
        let mut page = HeaderMap::new();
        page.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        complete(&mut page, About { secure: true, picture: false });
        for headers in [&whole, &unchanged, &page] {
            for (name, value) in FIXED {
                assert_eq!(headers[&name], value, "{name}");
            }
            let seconds = headers[header::STRICT_TRANSPORT_SECURITY].to_str().unwrap();
            assert_eq!(seconds, "max-age=63072000; includeSubDomains");
        }
        assert_eq!(whole[header::CONTENT_SECURITY_POLICY], DATA_POLICY);
        let policy = page[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("'sha256-") && !policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn what_an_answer_says_itself_stays() {
        let mut headers = HeaderMap::new();
        let own = HeaderValue::from_static("default-src 'none'; sandbox");
        headers.insert(header::CONTENT_SECURITY_POLICY, own.clone());
        complete(&mut headers, About { picture: true, secure: false });
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], own);
        assert_eq!(headers[CORP], "cross-origin");
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
