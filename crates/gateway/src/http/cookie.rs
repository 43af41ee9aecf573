//! The shop's own cookies: what they are called, how they are read and written (RFC 6265).
//!
//! Over https they carry the prefix `__Host-`: no subdomain and no page without TLS can set them.
use http::{HeaderMap, HeaderValue, header};

/// Longer values are none of ours.
const MAX_VALUE: usize = 512;

/// Names and attributes of the cookies, as the shop's public address wants them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookies {
    secure: bool,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    /// The secret of a session.
    Session,
    /// What shows at the next login that this browser was here before.
    Device,
}

impl Cookies {
    pub(crate) fn new(public_url: &str) -> Self {
        Self { secure: public_url.starts_with("https://") }
    }

    fn name(self, which: Which) -> &'static str {
        match (which, self.secure) {
            (Which::Session, true) => "__Host-souk_session",
            (Which::Session, false) => "souk_session",
            (Which::Device, true) => "__Host-souk_device",
            (Which::Device, false) => "souk_device",
        }
    }

    /// What the API document calls the cookie of a session.
    pub(crate) fn session_name(self) -> &'static str {
        self.name(Which::Session)
    }

    /// The secret of a session, if the browser sent one.
    pub(crate) fn session(self, headers: &HeaderMap) -> Option<&str> {
        read(headers, self.name(Which::Session))
    }

    pub(crate) fn device(self, headers: &HeaderMap) -> Option<&str> {
        read(headers, self.name(Which::Device))
    }

    /// `Set-Cookie` of a session; without a time it lasts as long as the browser's window. `None`:
    /// no cookie can hold this.
    pub(crate) fn set_session(self, secret: &str, max_age_s: Option<u64>) -> Option<HeaderValue> {
        self.set(Which::Session, secret, max_age_s)
    }

    /// `Set-Cookie` of what shows that the browser was here before, for as long as that counts.
    pub(crate) fn set_device(self, token: &str, max_age_s: u64) -> Option<HeaderValue> {
        self.set(Which::Device, token, Some(max_age_s))
    }

    /// `Set-Cookie` that makes the browser forget the session.
    pub(crate) fn forget_session(self) -> Option<HeaderValue> {
        self.write(Which::Session, "", Some(0))
    }

    /// Whether an answer says something about the session's cookie already.
    pub(crate) fn is_set_in(self, headers: &HeaderMap) -> bool {
        let begins = |value: &HeaderValue| {
            let pair = value.as_bytes().split(|b| *b == b'=').next();
            pair == Some(self.session_name().as_bytes())
        };
        headers.get_all(header::SET_COOKIE).iter().any(begins)
    }

    fn set(self, which: Which, value: &str, max_age_s: Option<u64>) -> Option<HeaderValue> {
        fits(value).then(|| self.write(which, value, max_age_s)).flatten()
    }

    fn write(self, which: Which, value: &str, max_age_s: Option<u64>) -> Option<HeaderValue> {
        let mut text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.name(which));
        if self.secure {
            text.push_str("; Secure");
        }
        if let Some(seconds) = max_age_s {
            text.push_str(&format!("; Max-Age={seconds}"));
        }
        HeaderValue::from_str(&text).ok()
    }
}

/// The one value of this name. Two different ones are none: whoever planted the second must not
/// choose which one counts.
fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        // other programs of this host may have cookies of any kind
        let pairs = std::str::from_utf8(line.as_bytes()).unwrap_or_default().split(';');
        for (sent, value) in pairs.filter_map(|pair| pair.trim().split_once('=')) {
            if sent != name {
                continue;
            }
            match found {
                Some(before) if before != value => return None,
                _ => found = Some(value),
            }
        }
    }
    found.filter(|value| fits(value))
}

/// The letters of our secrets; nothing that could end the value or the line.
fn fits(value: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    (1..=MAX_VALUE).contains(&value.len()) && value.bytes().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTPS: Cookies = Cookies { secure: true };
    const HTTP: Cookies = Cookies { secure: false };

    fn sent(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_cookie_is_bound_to_the_host_over_https() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(HTTPS.set_session("abc", None)),
            "__Host-souk_session=abc; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            text(HTTP.set_session("abc", Some(60))),
            "souk_session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"
        );
        assert_eq!(
            text(HTTP.forget_session()),
            "souk_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
        assert_eq!(
            text(HTTPS.set_device("d", 90)),
            "__Host-souk_device=d; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=90"
        );
        assert!(Cookies::new("https://shop.example").secure);
        assert!(!Cookies::new("http://127.0.0.1:8080").secure);
    }

    #[test]
    fn what_was_set_is_read_among_others() {
        let headers = sent(&["a=1; souk_session=abc-_Z9;souk_device=d", "b=2"]);
        assert_eq!(HTTP.session(&headers), Some("abc-_Z9"));
        assert_eq!(HTTP.device(&headers), Some("d"));
        // the plain name counts for nothing where the bound one is used
        assert_eq!(HTTPS.session(&headers), None);
        let bound = sent(&["__Host-souk_session=x"]);
        assert_eq!((HTTPS.session(&bound), HTTP.session(&bound)), (Some("x"), None));
    }

    #[test]
    fn broken_doubled_and_endless_values_count_for_nothing() {
        for line in [
            "souk_session=",
            "souk_session",
            "souk_session=a b",
            "souk_session=\"abc\"",
            "souk_session=a\\b",
            "xsouk_session=abc",
            "SOUK_SESSION=abc",
            "souk_session=a; souk_session=b",
        ] {
            assert_eq!(HTTP.session(&sent(&[line])), None, "{line}");
        }
        assert_eq!(HTTP.session(&sent(&["souk_session=a", "souk_session=b"])), None);
        assert_eq!(HTTP.session(&sent(&["souk_session=a; souk_session=a"])), Some("a"));
        let mut headers = HeaderMap::new();
        let long = format!("souk_session={}", "x".repeat(MAX_VALUE + 1));
        headers.insert(header::COOKIE, HeaderValue::from_str(&long).unwrap());
        assert_eq!(HTTP.session(&headers), None);
        for value in ["", "a;b", "a\r\nSet-Cookie: b=c", "ü"] {
            assert_eq!(HTTP.set_session(value, None), None, "{value:?}");
        }
    }

    #[test]
    fn an_answer_that_sets_the_session_is_seen() {
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, HTTP.set_device("d", 90).unwrap());
        assert!(!HTTP.is_set_in(&headers));
        headers.append(header::SET_COOKIE, HTTP.set_session("s", None).unwrap());
        assert!(HTTP.is_set_in(&headers));
    }
}
