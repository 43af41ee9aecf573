//! What every request passes, in this order: who the client is → block → limit → hot answer → form →
//! load → session → shared limits → router; then metrics and headers.
//!
//! A product that lies in memory is answered here, before the router: that is most of a shop's
//! traffic.
mod hot_answer;

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
use http::{Method, Request, Response, StatusCode, header};
use souk_cache::Allowance;
use souk_rpc::CallContext;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use self::hot_answer::HotMeter;
pub(crate) use self::hot_answer::render;
use super::client_address::{self, Proxies};
use super::crowd::{Crowd, Place};
use super::form::{self, Arrival, Form};
use super::headers::{self, About, HotHeaders};
use super::limit::class::Class;
use super::limit::{self, Asker, Limits};
use super::load::{Flight, Load};
use super::problem::Problem;
use super::{Site, body, precondition, request_id, session};

/// The client: who is at the other end of the connection, or of the trusted proxies in between; IPv4
/// never inside of IPv6. The port is 0 when a proxy named it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Somebody who sits at the machine of this process, as far as can be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtThisMachine;

/// The edge of one gateway; [`for_peer`](Self::for_peer) makes the service of one connection.
#[derive(Clone)]
pub(crate) struct Edge {
    shared: Arc<Shared>,
}

struct Shared {
    site: Site,
    router: Router,
    proxies: Proxies,
    limits: Option<Limits>,
    load: Arc<Load>,
    crowd: Option<Arc<Crowd>>,
    form: Form,
    hot_headers: HotHeaders,
    timeout: Duration,
    body_timeout: Duration,
    secure: bool,
    hot_products: HotMeter,
    hot_lists: HotMeter,
}

impl Edge {
    pub(crate) fn new(site: Site, router: Router, public_url: &str) -> Self {
        let config = site.config.clone();
        let limits = &config.rate_limit;
        let secure = public_url.starts_with("https://");
        let shared = Shared {
            proxies: Proxies::new(config.trusted_proxies.clone(), config.proxy_header),
            limits: limits.enabled.then(|| Limits::new(limits, site.cache.clone())),
            load: Arc::new(Load::new(config.max_in_flight)),
            crowd: (limits.enabled && config.max_connections_per_address > 0)
                .then(|| Arc::new(Crowd::new(config.max_connections_per_address))),
            form: Form::new(&config.cors, public_url),
            hot_headers: HotHeaders::new(secure),
            timeout: Duration::from_secs(config.request_timeout_s),
            body_timeout: Duration::from_secs(config.body_timeout_s),
            secure,
            hot_products: HotMeter::new("/api/products/{key}"),
            hot_lists: HotMeter::new("/api/products"),
            router,
            site,
        };
        Self { shared: Arc::new(shared) }
    }

    /// `None`: that address has enough connections. A trusted proxy brings everybody and may have
    /// any number.
    pub(crate) fn for_peer(&self, peer: SocketAddr) -> Option<Connection> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let proxied = self.shared.proxies.trusts(peer.ip());
        let place = match &self.shared.crowd {
            Some(crowd) if !proxied => Some(Arc::new(crowd.enter(peer.ip())?)),
            _ => None,
        };
        Some(Connection { shared: self.shared.clone(), peer, proxied, _place: place })
    }
}

/// The service of one connection.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    peer: SocketAddr,
    /// The peer is a proxy that may say who the client is.
    proxied: bool,
    /// Of this connection among those of its address.
    _place: Option<Arc<Place>>,
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
        let mut client = self.peer;
        let mut arrival = Arrival::default();
        if self.proxied {
            client = self.shared.proxies.client(self.peer, request.headers());
            arrival.plain = self.shared.secure && self.shared.proxies.came_plain(request.headers());
        }
        arrival.blocked = self.shared.site.blocks.blocked(client.ip());
        if !arrival.plain
            && arrival.blocked.is_none()
            && let Some(response) = self.shared.hot(&request, client)
        {
            return Answer::Ready(Some(response));
        }
        arrival.at_this_machine =
            !self.proxied && client_address::is_at_this_machine(self.peer, request.headers());
        let shared = self.shared.clone();
        Answer::Routed(Box::pin(async move {
            shared.routed(request.map(Body::new), client, arrival).await
        }))
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
    async fn routed(
        &self,
        mut request: Request<Body>,
        client: SocketAddr,
        arrival: Arrival,
    ) -> Response<Body> {
        let started = Instant::now();
        let id = request_id::of(request.headers());
        let method = request.method().clone();
        let origin = request.headers().get(header::ORIGIN).cloned();
        without_slash(&mut request);
        if arrival.at_this_machine {
            request.extensions_mut().insert(AtThisMachine);
        }
        client_address::strip_claims(request.headers_mut());
        request.extensions_mut().insert(Peer(client));
        let path = request.uri().path();
        let picture = path.starts_with("/api/images/");
        let timeout = if is_transfer(path) { TRANSFER_TIME } else { self.timeout };
        let context = CallContext {
            request_id: Some(request_id::shared(&id)),
            client: Some(limit::network(client.ip()).to_string().into()),
            deadline: Some(started + timeout),
            ..CallContext::default()
        };
        let span = tracing::info_span!("http.request", otel.kind = "server",
            http.request.method = %method, url.path = path, request.id = ?id);
        let formal = self.form.answer(&request, arrival);
        let mut flight = None;
        let answer = async {
            match formal {
                Some(Ok(response)) => response,
                Some(Err(problem)) => in_context(context, problem).await,
                None => self.within_limits(request, client, context, &mut flight).await,
            }
        };
        let mut response = answer.instrument(span.clone()).await;
        let route = response.extensions_mut().remove::<Route>();
        let route = route.as_ref().map_or("other", |Route(path)| path.as_str());
        // however long a file takes says nothing about the others
        if let Some(flight) = flight.filter(|_| timeout == self.timeout) {
            flight.answered(route);
        }
        let status = response.status();
        metrics::counter!("http_requests_total", "method" => method_name(&method),
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
        let own = response.headers_mut();
        own.insert(request_id::REQUEST_ID, id);
        headers::complete(own, About { secure: self.secure, picture });
        self.form.origins.complete(origin.as_ref(), own);
        response
    }

    async fn within_limits(
        &self,
        request: Request<Body>,
        client: SocketAddr,
        context: CallContext,
        flight: &mut Option<Flight>,
    ) -> Response<Body> {
        let path = request.uri().path();
        let limits = self.limits.as_ref().filter(|_| path != form::ALIVE);
        let own = limits.map(|limits| limits.address(client.ip()));
        if let Some(allowance) = own.filter(|allowance| !allowance.allowed) {
            return limited(context, &allowance).await;
        }
        if form::is_health(path) {
            // a load balancer must hear the truth, most of all under load
            return run(self.router.clone(), request, context, self.timeout).await;
        }
        *flight = self.load.enter();
        if flight.is_none() {
            return in_context(context, Problem::overloaded()).await;
        }
        self.admitted(request, client, context, own).await
    }

    async fn admitted(
        &self,
        mut request: Request<Body>,
        client: SocketAddr,
        mut context: CallContext,
        own: Option<Allowance>,
    ) -> Response<Body> {
        let head = session::Head {
            method: request.method(),
            path: request.uri().path(),
            headers: request.headers(),
            client: client.ip(),
        };
        // accounts may be asked what a cookie or an API key is worth
        let session = match souk_rpc::scope(context.clone(), session::read(&self.site, head)).await
        {
            Ok(session) => session,
            Err(problem) => {
                let response = in_context(context.clone(), problem).await;
                let route = format!("{} (any)", request.method());
                self.site.refusals.tell(&context, None, route, response.status());
                return response;
            }
        };
        let (user, method) = (session.as_ref().map(|s| s.user.id), request.method().clone());
        let mut told = own;
        if let Some(limits) = &self.limits {
            let asker = Asker {
                address: client.ip(),
                user: session.as_ref().map(|session| &*session.user),
                by_key: session.as_ref().is_some_and(|session| session.by_key),
            };
            let class = Class::of(request.method(), request.uri().path(), request.uri().query());
            let shared = limits.shared(class, asker).await;
            told = told.into_iter().chain(shared).reduce(limit::tighter);
        }
        if let Some(allowance) = told.filter(|allowance| !allowance.allowed) {
            return limited(context, &allowance).await;
        }
        if let Some(session) = session {
            context.token = Some(session.token.clone());
            request.extensions_mut().insert(session);
        }
        let (request, cut) = {
            let (head, body) = request.into_parts();
            let (body, cut) = body::timed(body, self.body_timeout);
            (Request::from_parts(head, body), cut)
        };
        let timeout = context.deadline.map_or(self.timeout, |at| at - Instant::now());
        let late = context.clone();
        let mut response = run(self.router.clone(), request, context, timeout).await;
        let route = response.extensions().get::<Route>();
        let route = route.map_or("other", |Route(path)| path.as_str());
        // shoppers are told to log in at every turn: only at the desk it says something
        let status = response.status();
        let desk = status == StatusCode::UNAUTHORIZED && route.starts_with("/api/admin");
        if desk || status == StatusCode::FORBIDDEN {
            self.site.refusals.tell(&late, user, format!("{method} {route}"), status);
        }
        if cut.happened() {
            let problem = Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the body came too slowly",
            );
            let route = response.extensions_mut().remove::<Route>();
            response = in_context(late, problem).await;
            if let Some(route) = route {
                response.extensions_mut().insert(route);
            }
        }
        if let Some(allowance) = &told {
            limit::tell(response.headers_mut(), allowance);
        }
        response
    }
}

/// The answer of the router: in time, and whatever happens to its handler.
async fn run(
    router: Router,
    request: Request<Body>,
    context: CallContext,
    timeout: Duration,
) -> Response<Body> {
    let late = context.clone();
    let work = AssertUnwindSafe(souk_rpc::scope(context, router.oneshot(request)));
    match tokio::time::timeout(timeout, work.catch_unwind()).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => {
            tracing::error!("handler panicked");
            let problem =
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong");
            in_context(late, problem).await
        }
        Err(_) => {
            let problem = Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "it took too long");
            in_context(late, problem).await
        }
    }
}

/// A problem that knows its request.
async fn in_context(context: CallContext, problem: Problem) -> Response<Body> {
    souk_rpc::scope(context, async move { problem.into_response() }).await
}

async fn limited(context: CallContext, allowance: &Allowance) -> Response<Body> {
    let problem = Problem::too_many(limit::seconds(allowance));
    let mut response = in_context(context, problem).await;
    limit::tell(response.headers_mut(), allowance);
    response
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

/// Anybody may invent methods; metrics know the common ones.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
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

#[cfg(test)]
mod tests;
