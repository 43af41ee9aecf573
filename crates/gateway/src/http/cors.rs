//! Which pages of other origins may read answers. Cookies are never allowed across origins.
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::problem::Problem;
use crate::config::Cors;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const TAKEN: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, idempotency-key, souk-cart, x-request-id",
);
const SHOWN: HeaderValue = HeaderValue::from_static(
    "etag, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id",
);
const SECONDS: HeaderValue = HeaderValue::from_static("3600");

/// The origins of the settings.
pub(crate) struct Origins {
    all: bool,
    listed: Vec<HeaderValue>,
}

impl Origins {
    pub(crate) fn new(settings: &Cors) -> Self {
        let listed = settings.allowed_origins.iter();
        Self {
            all: listed.clone().any(|origin| origin == "*"),
            listed: listed.filter_map(|origin| origin.parse().ok()).collect(),
        }
    }

    /// `null` is nobody's: sandboxed frames and files say it.
    fn allows(&self, origin: &HeaderValue) -> bool {
        origin != "null" && (self.all || self.listed.contains(origin))
    }

    /// The answer to a browser that asks beforehand; `None`: it does not.
    pub(crate) fn preflight<B>(
        &self,
        request: &Request<B>,
    ) -> Option<Result<Response<Body>, Problem>> {
        let headers = request.headers();
        let asks = request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = headers.get(header::ORIGIN).filter(|_| asks)?;
        if !self.allows(origin) {
            let sentence = "pages of this origin may not call the shop";
            return Some(Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", sentence)));
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let own = response.headers_mut();
        own.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        own.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN);
        own.insert(header::ACCESS_CONTROL_MAX_AGE, SECONDS);
        Some(Ok(response))
    }

    /// Lets the origin read the answer, if it may.
    pub(crate) fn complete(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !self.all && self.listed.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn origins(allowed: &[&str]) -> Origins {
        Origins::new(&Cors { allowed_origins: allowed.iter().map(|o| (*o).to_owned()).collect() })
    }

    /// Status and allow headers of a preflight, and the allowed origin of another answer.
    fn seen(origins: &Origins, origin: &'static str) -> (u16, usize, Option<HeaderValue>) {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT");
        let request = request.body(()).unwrap();
        let mut answer =
            origins.preflight(&request).unwrap().unwrap_or_else(IntoResponse::into_response);
        let origin = HeaderValue::from_static(origin);
        origins.complete(Some(&origin), answer.headers_mut());
        let named = |name: &&http::HeaderName| name.as_str().starts_with("access-control-allow");
        let allowing = answer.headers().keys().filter(named).count();
        assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        let mut headers = HeaderMap::new();
        origins.complete(Some(&origin), &mut headers);
        (answer.status().as_u16(), allowing, headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN))
    }

    #[test]
    fn s25_only_listed_origins_are_allowed() {
        let shop = HeaderValue::from_static("https://shop.example");
        let listed = origins(&["https://shop.example"]);
        assert_eq!(seen(&listed, "https://shop.example"), (204, 3, Some(shop.clone())));
        for stranger in
            ["https://evil.example", "null", "http://shop.example", "https://shop.example.evil"]
        {
            assert_eq!(seen(&listed, stranger), (403, 0, None), "{stranger}");
            assert_eq!(seen(&origins(&[]), stranger), (403, 0, None), "{stranger}");
        }
        let all = origins(&["*"]);
        assert_eq!(seen(&all, "https://shop.example"), (204, 3, Some(shop)));
        assert_eq!(seen(&all, "null"), (403, 0, None));
    }

    #[test]
    fn what_is_no_preflight_goes_on() {
        let request = Request::builder().method(Method::OPTIONS).body(()).unwrap();
        assert!(origins(&["*"]).preflight(&request).is_none());
        let request =
            Request::builder().header(header::ORIGIN, "https://a.example").body(()).unwrap();
        assert!(origins(&["*"]).preflight(&request).is_none());
    }
}
