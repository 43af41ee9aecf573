//! What a call brings with it: who says to be calling, for whom, until when.
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, header};

use crate::timeout;
use crate::tls::Names;

pub(crate) const SERVICE_TOKEN: &str = "souk-service-token";
pub(crate) const TARGET: &str = "souk-target";
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The client's network. Only the gateway meets clients, so only it is believed.
pub(crate) const CLIENT: &str = "x-souk-client";
pub(crate) const GATEWAY: &str = "gateway";
pub(crate) const TRACEPARENT: &str = "traceparent";

/// How the calling service is known.
pub(crate) enum Origin {
    /// Set by this process: a neighbor inside of it, or the operator at its socket.
    Known(Arc<str>),
    /// To be proven by a service token.
    Claimed(String),
    Nobody,
}

/// All of it is removed from the headers: handlers see the verified [`Caller`](souk_auth::Caller)
/// only.
pub(crate) struct Arrival {
    pub(crate) origin: Origin,
    /// The services that the caller's certificate names; none: connections here need no certificate.
    pub(crate) names: Option<Names>,
    /// Of the user; empty for an `authorization` that is none of ours.
    pub(crate) token: Option<Arc<str>>,
    pub(crate) request_id: Option<Arc<str>>,
    /// To be believed of the gateway only.
    pub(crate) client: Option<Arc<str>>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) traceparent: Option<String>,
}

impl Arrival {
    /// From the network, where nothing is believed without proof.
    pub(crate) fn from_headers(headers: &mut HeaderMap) -> Self {
        let origin = match headers.remove(SERVICE_TOKEN) {
            Some(value) => Origin::Claimed(value.to_str().unwrap_or_default().to_owned()),
            None => Origin::Nobody,
        };
        let traceparent = headers.remove(TRACEPARENT).and_then(|v| Some(v.to_str().ok()?.into()));
        Self {
            origin,
            names: None,
            token: bearer(headers),
            request_id: request_id(headers),
            client: client(headers),
            deadline: timeout::take(headers).and_then(timeout::after),
            traceparent,
        }
    }

    /// From a socket that only the operator can open: nobody else calls through it.
    pub(crate) fn of_operator(headers: &mut HeaderMap) -> Self {
        Self { origin: Origin::Known("operator".into()), ..Self::from_headers(headers) }
    }
}

/// Takes the user's token out of the headers.
pub(crate) fn bearer(headers: &mut HeaderMap) -> Option<Arc<str>> {
    let value = headers.remove(header::AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    Some(token.unwrap_or_default().into())
}

/// Takes the client's network out of the headers; what cannot be one is dropped.
pub(crate) fn client(headers: &mut HeaderMap) -> Option<Arc<str>> {
    let value = headers.remove(CLIENT)?;
    let text = value.to_str().ok()?;
    let of_address = |b: u8| b.is_ascii_hexdigit() || b":./".contains(&b);
    let plain = !text.is_empty() && text.len() <= 64 && text.bytes().all(of_address);
    plain.then(|| text.into())
}

/// Takes the request's id out of the headers; one that is too long or not plain text is dropped.
pub(crate) fn request_id(headers: &mut HeaderMap) -> Option<Arc<str>> {
    let value = headers.remove(REQUEST_ID)?;
    let text = value.to_str().ok()?;
    let plain = !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic());
    plain.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_identifies_a_caller_is_taken_out_of_the_headers() {
        let mut headers = headers(&[
            (SERVICE_TOKEN, "v1.a.b.1.x"),
            ("authorization", "bearer abc"),
            (REQUEST_ID, "r1"),
            ("grpc-timeout", "5S"),
            (CLIENT, "2001:db8::/64"),
            ("te", "trailers"),
        ]);
        let arrival = Arrival::from_headers(&mut headers);
        assert!(matches!(arrival.origin, Origin::Claimed(t) if t == "v1.a.b.1.x"));
        assert_eq!(arrival.token.as_deref(), Some("abc"));
        assert_eq!(arrival.request_id.as_deref(), Some("r1"));
        assert!(arrival.deadline.is_some());
        assert_eq!(arrival.client.as_deref(), Some("2001:db8::/64"));
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn another_scheme_is_a_token_that_cannot_be_good() {
        for value in ["Basic abc", "abc", "", "Bearer"] {
            let arrival = Arrival::from_headers(&mut headers(&[("authorization", value)]));
            assert_eq!(arrival.token.as_deref(), Some(""), "{value}");
        }
    }

    #[test]
    fn what_is_no_network_is_dropped() {
        for value in ["", "somewhere else", "192.0.2.1\t", "<script>"] {
            assert!(client(&mut headers(&[(CLIENT, value)])).is_none(), "{value}");
        }
    }

    #[test]
    fn an_odd_request_id_is_dropped() {
        for value in ["", "a b", "a\tb"] {
            assert!(
                Arrival::from_headers(&mut headers(&[(REQUEST_ID, value)])).request_id.is_none()
            );
        }
    }
}
