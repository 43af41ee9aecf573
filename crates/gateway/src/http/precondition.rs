//! ETags and the conditions that name them (RFC 9110 §8.8.3, §13.1).
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};

use super::problem::Problem;

/// `If-Match`, read: the version that the writer has seen, if they said one.
pub(crate) struct IfMatch(pub(crate) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

/// `"7"`, `"7.3"` (the part before the dot is the version), `*` or nothing. What cannot be one of
/// our tags can match nothing: version 0, which no product has.
fn read(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value
        .to_str()
        .map_err(|_| Problem::not_parsable("If-Match is not a list of entity tags"))?
        .trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix("W/").unwrap_or(text);
    let quoted = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let tag = quoted
        .ok_or_else(|| Problem::not_parsable("If-Match is not an entity tag such as \"7\""))?;
    Ok(Some(tag.split('.').next().and_then(|v| v.parse().ok()).unwrap_or(0)))
}

/// `"7.3"`.
pub(crate) fn tag(version: u64, stock_seq: Option<u64>) -> HeaderValue {
    let text = match stock_seq {
        Some(seq) => format!("\"{version}.{seq}\""),
        None => format!("\"{version}\""),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// Whether the client's copy is the current one (`If-None-Match`, weak comparison).
pub(crate) fn is_current(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Some(value) = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let own = etag.to_str().unwrap_or_default();
    value.split(',').map(str::trim).any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(text: &'static str) -> Option<Option<u64>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
        read(&headers).ok()
    }

    #[test]
    fn the_version_part_counts() {
        assert_eq!(if_match("\"7.3\""), Some(Some(7)));
        assert_eq!(if_match("\"7\""), Some(Some(7)));
        assert_eq!(if_match("*"), Some(None));
        assert_eq!(if_match("\"foreign\""), Some(Some(0)));
        assert_eq!(if_match("7"), None);
    }

    #[test]
    fn a_current_copy_is_known() {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"1.0\", W/\"7.3\""));
        assert!(is_current(&headers, &tag(7, Some(3))));
        assert!(!is_current(&headers, &tag(8, Some(3))));
    }
}
