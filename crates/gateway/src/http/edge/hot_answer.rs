//! Answers from memory: what an anonymous reader asks for most, without the router and without a task.
use std::net::SocketAddr;
use std::time::Instant;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use metrics::{Counter, Histogram};
use percent_encoding::percent_decode_str;

use super::{Shared, precondition, request_id};
use crate::hot::Rendered;

/// Handles of the metrics that a hot answer moves, looked up once.
pub(super) struct HotMeter {
    ok: Counter,
    unchanged: Counter,
    seconds: Histogram,
}

impl HotMeter {
    pub(super) fn new(route: &'static str) -> Self {
        let requests = |status: &'static str| metrics::counter!("http_requests_total", "method" => "GET", "route" => route, "status" => status);
        Self {
            ok: requests("200"),
            unchanged: requests("304"),
            seconds: metrics::histogram!("http_request_duration_seconds", "route" => route),
        }
    }
}

impl Shared {
    /// An answer from memory for an anonymous reader of a product or a list; `None`: the router's
    /// turn.
    pub(super) fn hot<B>(&self, request: &Request<B>, peer: SocketAddr) -> Option<Response<Body>> {
        const PRODUCTS: &str = "/api/products";
        let rest = request.uri().path().strip_prefix(PRODUCTS)?;
        let headers = request.headers();
        let plain = request.method() == Method::GET
            && !headers.contains_key(header::AUTHORIZATION)
            && self.site.cookies.session(headers).is_none()
            && !headers.contains_key(header::ORIGIN);
        if !plain {
            return None;
        }
        let started = Instant::now();
        let (response, meter) = if rest.is_empty() {
            let hot = self.site.hot.list(request.uri().query().unwrap_or_default())?;
            (self.answer(headers, &hot, peer)?, &self.hot_lists)
        } else {
            let segment = rest.strip_prefix('/')?.trim_end_matches('/');
            if request.uri().query().is_some() || segment.contains('/') {
                return None;
            }
            let key = percent_decode_str(segment).decode_utf8().ok()?;
            let hot = self.site.hot.product(&key)?;
            let response = self.answer(headers, &hot.rendered, peer)?;
            self.site.views.note(hot.id, self.site.viewers.of(None, headers, peer.ip()));
            (response, &self.hot_products)
        };
        match response.status() {
            StatusCode::NOT_MODIFIED => meter.unchanged.increment(1),
            _ => meter.ok.increment(1),
        }
        meter.seconds.record(started.elapsed());
        tracing::debug!(http.status = response.status().as_u16(), "hot answer");
        Some(response)
    }

    /// The rendered answer as a response; `None` when the address is over its limit, which the
    /// router's way tells.
    fn answer(
        &self,
        headers: &HeaderMap,
        rendered: &Rendered,
        peer: SocketAddr,
    ) -> Option<Response<Body>> {
        if let Some(limits) = &self.limits
            && !limits.address(peer.ip()).allowed
        {
            return None;
        }
        let current = precondition::is_current(headers, &rendered.etag);
        let mut response = if current {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            Response::new(Body::from(rendered.body.clone()))
        };
        let id = request_id::of(headers);
        *response.headers_mut() = self.hot_headers.of(current, &rendered.etag, id);
        Some(response)
    }
}

/// 200 with the body, or 304 when the client's copy is current.
pub(crate) fn render(headers: &HeaderMap, rendered: &Rendered) -> Response<Body> {
    let current = precondition::is_current(headers, &rendered.etag);
    let mut response = if current {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(rendered.body.clone()))
    };
    let own = response.headers_mut();
    if !current {
        own.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    own.insert(header::ETAG, rendered.etag.clone());
    // every read is to be counted, and prices change: caches ask
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
