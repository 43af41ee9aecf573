//! Doors for `crates/fuzz`: the bytes of strangers, to what reads them first. No part of the service.
use http::{HeaderMap, HeaderValue, header};

use crate::http::cookie::Cookies;
use crate::http::query::{self, Query};

/// Lines of `Cookie` headers, one to a line.
pub fn cookies(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(50) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::COOKIE, value);
        }
    }
    for (address, ends) in [("https://shop.example", 4), ("http://127.0.0.1:8080", 3)] {
        let cookies = Cookies::new(address);
        let read = [cookies.session(&headers), cookies.device(&headers)];
        for secret in read.into_iter().flatten() {
            // what was read can be written back, and ends neither the value nor the line
            let written = cookies.set_session(secret, None);
            let text = written.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
            let whole = format!("{}={secret};", cookies.session_name());
            assert!(text.starts_with(&whole), "{secret:?} became {text:?}");
            assert_eq!(text.matches(';').count(), ends, "{text:?}");
        }
    }
}

/// A query string.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fits = query::check(&text);
    if let Err(problem) = &fits {
        assert_eq!(problem.status(), 400, "{text:?}");
    }
    let mut query = Query::parse(&text);
    query.page();
    query.boolean("ended");
    query.time("from");
    query.texts("tag");
    query.text("q");
    if let Ok(currency) = "EUR".parse() {
        query.price("min_price", currency);
    }
    match query.finish() {
        Ok(()) => {}
        Err(problem) => {
            // what passed the check is readable: only a field can be wrong then
            let known = if fits.is_ok() { &[422][..] } else { &[400, 422] };
            assert!(known.contains(&problem.status()), "{text:?}: {}", problem.status());
        }
    }
}
