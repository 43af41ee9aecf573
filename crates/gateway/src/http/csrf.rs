//! Whether a request that a browser made with its cookie was meant by the shop's own page: fetch
//! metadata first, then a token that only that page can read (OWASP, signed and bound to the
//! session).
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use sha2::Sha256;

use super::problem::Problem;

/// Carries the token.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origin of the shop's own pages.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// With its port.
    own: Option<String>,
    /// Without TLS people call the shop by many names: the one that they called it by counts.
    by_host: bool,
}

impl Origin {
    pub(crate) fn new(public_url: &str) -> Self {
        Self { own: origin(public_url), by_host: !public_url.starts_with("https://") }
    }

    /// Whether the browser says that a page of ours, or its user, made the request. What says
    /// nothing at all does not count.
    pub(crate) fn made(&self, headers: &HeaderMap) -> bool {
        let mut sites = headers.get_all(SITE).iter().peekable();
        if sites.peek().is_some() {
            return sites.all(|site| site == "same-origin" || site == "none");
        }
        let from = headers.get(header::ORIGIN).or_else(|| headers.get(header::REFERER));
        let Some(from) = from.and_then(|value| origin(value.to_str().ok()?)) else { return false };
        self.own.as_ref() == Some(&from) || self.by_host && called(headers) == Some(from)
    }
}

/// The origin by which the request calls us.
fn called(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    origin(&format!("http://{host}"))
}

/// `https://shop.example:443`, of any address within.
fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str()?;
    let port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let port = uri.port_u16().unwrap_or(port);
    Some(format!("{scheme}://{}:{port}", uri.host()?.to_ascii_lowercase()))
}

/// Methods that change nothing.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The token of a session. Its key is the cookie's secret, which no page can read: so every gateway
/// makes and knows the same one, and it is worth nothing for another session.
pub(crate) fn token(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(secret).finalize().into_bytes())
}

/// Whether the headers carry the token of this session; in constant time.
pub(crate) fn is_shown(headers: &HeaderMap, secret: &str) -> bool {
    let given = headers.get(TOKEN).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = URL_SAFE_NO_PAD.decode(given.trim()).unwrap_or_default();
    mac(secret).verify_slice(&given).is_ok()
}

#[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(secret: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key fits");
    mac.update(b"souk gateway csrf v1");
    mac
}

/// 403: the request may come from another site.
pub(crate) fn refused() -> Problem {
    let sentence = "a browser's request must come from the shop's own page and carry X-CSRF-Token";
    Problem::new(StatusCode::FORBIDDEN, "csrf", sentence)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_the_shops_own_page_counts() {
        let shop = Origin::new("https://shop.example");
        for (sent, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "")], false),
            // fetch metadata cannot be overruled
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")], false),
            (&[("origin", "https://shop.example")], true),
            (&[("origin", "https://SHOP.example:443")], true),
            (&[("origin", "http://shop.example")], false),
            (&[("origin", "https://shop.example:8443")], false),
            (&[("origin", "https://shop.example.evil.test")], false),
            (&[("origin", "https://evil.test/https://shop.example")], false),
            (&[("origin", "https://shop.example@evil.test")], false),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("referer", "https://shop.example/")], false),
            (&[("referer", "https://shop.example/account?x=1")], true),
            (&[("referer", "https://evil.test/shop.example")], false),
            // over https nobody but us names us
            (&[("origin", "http://other.test"), ("host", "other.test")], false),
            (&[("host", "shop.example")], false),
            (&[], false),
        ] {
            assert_eq!(shop.made(&headers(sent)), expected, "{sent:?}");
        }
    }

    #[test]
    fn without_tls_the_name_that_was_called_counts_too() {
        let shop = Origin::new("http://127.0.0.1:8080");
        for (sent, expected) in [
            (&[("origin", "http://127.0.0.1:8080")][..], true),
            (&[("origin", "http://localhost:9000"), ("host", "localhost:9000")], true),
            (&[("referer", "http://localhost/x"), ("host", "localhost")], true),
            (&[("origin", "http://localhost:9001"), ("host", "localhost:9000")], false),
            (&[("origin", "https://localhost:9000"), ("host", "localhost:9000")], false),
            (&[("origin", "http://evil.test"), ("host", "localhost")], false),
        ] {
            assert_eq!(shop.made(&headers(sent)), expected, "{sent:?}");
        }
    }

    #[test]
    fn a_token_is_good_for_its_session_only() {
        let shown = |token: &str, secret: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TOKEN, HeaderValue::from_str(token).unwrap());
            is_shown(&headers, secret)
        };
        let mine = token("secret-of-mine");
        assert_eq!(mine.len(), 43);
        assert!(shown(&mine, "secret-of-mine"));
        assert!(!shown(&mine, "secret-of-another"));
        assert_ne!(mine, token("secret-of-another"));
        for wrong in ["", "x", "secret-of-mine", &mine[1..], &format!("{mine}A")] {
            assert!(!shown(wrong, "secret-of-mine"), "{wrong}");
        }
        assert!(!is_shown(&HeaderMap::new(), "secret-of-mine"));
    }

    #[test]
    fn reading_needs_no_token() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(is_safe(&method));
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE] {
            assert!(!is_safe(&method));
        }
    }
}
