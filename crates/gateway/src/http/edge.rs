//! What every request passes, in this order: id → limit → hot answer → session → router; then
//! metrics and headers.
//!
//! A product that lies in memory is answered here, before the router: that is most of a shop's
//! traffic.
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::middleware::Next;
use axum::response::IntoResponse;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use metrics::{Counter, Histogram};
use percent_encoding::percent_decode_str;
use souk_rpc::CallContext;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use super::limit::Limit;
use super::problem::Problem;
use super::{Site, precondition, request_id, session};
use crate::hot::Rendered;

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The edge of one gateway; [`for_peer`](Self::for_peer) makes the service of one connection.
#[derive(Clone)]
pub(crate) struct Edge {
    shared: Arc<Shared>,
}

struct Shared {
    site: Site,
    router: Router,
    limit: Option<Limit>,
    timeout: Duration,
    secure: bool,
    hot_products: HotMeter,
    hot_lists: HotMeter,
}

/// Handles of the metrics that a hot answer moves, looked up once.
struct HotMeter {
    ok: Counter,
    unchanged: Counter,
    seconds: Histogram,
}

impl HotMeter {
    fn new(route: &'static str) -> Self {
        let requests = |status: &'static str| metrics::counter!("http_requests_total", "method" => "GET", "route" => route, "status" => status);
        Self {
            ok: requests("200"),
            unchanged: requests("304"),
            seconds: metrics::histogram!("http_request_duration_seconds", "route" => route),
        }
    }
}

impl Edge {
    pub(crate) fn new(site: Site, router: Router, public_url: &str) -> Self {
        let limits = &site.config.rate_limit;
        let shared = Shared {
            limit: limits.enabled.then(|| Limit::new(limits)),
            timeout: Duration::from_secs(site.config.request_timeout_s),
            secure: public_url.starts_with("https://"),
            hot_products: HotMeter::new("/api/products/{key}"),
            hot_lists: HotMeter::new("/api/products"),
            router,
            site,
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn for_peer(&self, peer: SocketAddr) -> Connection {
        Connection { shared: self.shared.clone(), peer }
    }

    /// Forgets limits of addresses that have gone; called now and then.
    pub(crate) fn tidy(&self) {
        if let Some(limit) = &self.shared.limit {
            limit.tidy();
        }
    }
}

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    peer: SocketAddr,
}

impl<B> Service<Request<B>> for Connection
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        if let Some(response) = self.shared.hot(&request, self.peer) {
            return Answer::Ready(Some(response));
        }
        let (shared, peer) = (self.shared.clone(), self.peer);
        Answer::Routed(Box::pin(async move { shared.routed(request.map(Body::new), peer).await }))
    }
}

/// The answer of the edge: at once from memory, or from the router.
pub(crate) enum Answer {
    Ready(Option<Response<Body>>),
    Routed(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(response) => Poll::Ready(Ok(response.take().unwrap_or_default())),
            Self::Routed(future) => future.as_mut().poll(cx).map(Ok),
        }
    }
}

impl Shared {
    /// An answer from memory for an anonymous reader of a product or a list; `None`: the router's
    /// turn.
    fn hot<B>(&self, request: &Request<B>, peer: SocketAddr) -> Option<Response<Body>> {
        const PRODUCTS: &str = "/api/products";
        let rest = request.uri().path().strip_prefix(PRODUCTS)?;
        let headers = request.headers();
        let plain = request.method() == Method::GET
            && !headers.contains_key(header::AUTHORIZATION)
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
        if let Some(limit) = &self.limit {
            limit.check(peer.ip()).ok()?;
        }
        let mut response = render(headers, rendered);
        let own = response.headers_mut();
        own.insert(request_id::REQUEST_ID, request_id::of(headers));
        own.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.secure {
            own.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
        Some(response)
    }

    async fn routed(&self, mut request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        let started = Instant::now();
        let id = request_id::of(request.headers());
        let method = request.method().clone();
        without_slash(&mut request);
        request.extensions_mut().insert(Peer(peer));
        let timeout = if is_transfer(request.uri().path()) { TRANSFER_TIME } else { self.timeout };
        let context = CallContext {
            request_id: Some(request_id::shared(&id)),
            deadline: Some(started + timeout),
            ..CallContext::default()
        };
        let span = tracing::info_span!("http.request", otel.kind = "server",
            http.request.method = %method, url.path = request.uri().path(), request.id = ?id);
        let answer = self.within_limits(request, peer, context);
        let mut response = answer.instrument(span.clone()).await;
        let route = response.extensions_mut().remove::<Route>();
        let route = route.as_ref().map_or("other", |Route(path)| path.as_str());
        let status = response.status();
        metrics::counter!("http_requests_total", "method" => method.as_str().to_owned(),
            "route" => route.to_owned(), "status" => status.as_u16().to_string())
        .increment(1);
        metrics::histogram!("http_request_duration_seconds", "route" => route.to_owned())
            .record(started.elapsed());
        span.in_scope(|| {
            tracing::debug!(
                http.status = status.as_u16(),
                elapsed_us = started.elapsed().as_micros(),
                "answered"
            );
        });
        let headers = response.headers_mut();
        headers.insert(request_id::REQUEST_ID, id);
        if self.secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
        response
    }

    async fn within_limits(
        &self,
        mut request: Request<Body>,
        peer: SocketAddr,
        mut context: CallContext,
    ) -> Response<Body> {
        let in_context = |context: CallContext, problem: Problem| {
            souk_rpc::scope(context, async move { problem.into_response() })
        };
        if let Some(Err(wait)) = self.limit.as_ref().map(|limit| limit.check(peer.ip())) {
            return in_context(context, Problem::too_many(wait.as_secs() + 1)).await;
        }
        match session::read(request.headers(), &self.site.verifier).await {
            Ok(None) => {}
            Ok(Some(session)) => {
                context.token = Some(session.token.clone());
                request.extensions_mut().insert(session);
            }
            Err(problem) => return in_context(context, problem).await,
        }
        let timeout = context.deadline.map_or(self.timeout, |at| at - Instant::now());
        let late = context.clone();
        let router = self.router.clone();
        let work = AssertUnwindSafe(souk_rpc::scope(context, router.oneshot(request)));
        match tokio::time::timeout(timeout, work.catch_unwind()).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(_)) => {
                tracing::error!("handler panicked");
                let problem = Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something went wrong",
                );
                in_context(late, problem).await
            }
            Err(_) => {
                let problem =
                    Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "it took too long");
                in_context(late, problem).await
            }
        }
    }
}

/// The template of the route that answered, put into the response by a layer of the router.
#[derive(Clone)]
pub(crate) struct Route(pub(crate) MatchedPath);

/// The layer: tells the edge which route answered.
pub(crate) async fn note_route(request: Request<Body>, next: Next) -> Response<Body> {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}

const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

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

/// Files of any size over lines of any speed.
const TRANSFER_TIME: Duration = Duration::from_secs(3600);

fn is_transfer(path: &str) -> bool {
    path == "/api/admin/products/import" || path == "/api/admin/products/export"
}

/// `/api/products/` is `/api/products`.
fn without_slash(request: &mut Request<Body>) {
    let path = request.uri().path();
    if path.len() < 2 || !path.ends_with('/') {
        return;
    }
    let trimmed = path.trim_end_matches('/');
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = target.parse() {
        *request.uri_mut() = uri;
    }
}
