//! One client type for calls inside a process and between processes.
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::HttpConnector;
use souk_auth::ServiceTokens;
use tonic::body::Body;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tower::Service;

use crate::arrival::{self, Arrival, Origin};
use crate::body::code_of;
use crate::context::{self, CallContext};
use crate::stack::late;
use crate::tls::Connector;
use crate::{Failure, Guarded, Kind, Tls, timeout};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);
/// Statuses with details travel in headers.
pub(crate) const HEADERS_MAX: u32 = 64 * 1024;

/// Who this process is when it calls: a service's name, and the secret that proves it to other
/// processes.
#[derive(Clone)]
pub struct Identity {
    pub name: Arc<str>,
    pub tokens: Arc<ServiceTokens>,
}

/// The `T` of every generated client: `ProductServiceClient<Transport>`. Callers cannot tell local
/// from remote. Adds the caller's identity, the user's token, request id, traceparent and deadline
/// (default 10 s) of the current [`CallContext`]. The deadline is for the answer to begin: a stream
/// that has begun may take longer, but an upload must be over, so give it time with
/// `tonic::Request::set_timeout`.
#[derive(Clone)]
pub struct Transport {
    to: Arc<str>,
    from: Identity,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Local(Guarded),
    Remote(Channel),
}

impl Transport {
    /// Straight into a service of this process, as `from`.
    pub fn local(to: &str, service: Guarded, from: Identity) -> Self {
        Self { to: to.into(), from, way: Way::Local(service) }
    }

    /// `http://host:port`, `https://…` or `unix:///path`; connects lazily, reconnects by itself.
    /// With `https` somebody else speaks TLS for the server, and the system's authorities count.
    /// Header `souk-target: to` tells a process that hosts several services which one is meant.
    /// Needs a tokio runtime around it.
    pub fn remote(to: &str, url: &str, from: Identity) -> Result<Self, tonic::transport::Error> {
        let mut endpoint = endpoint(url)?;
        if url.starts_with("https:") {
            endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
        }
        Ok(Self { to: to.into(), from, way: Way::Remote(endpoint.connect_lazy()) })
    }

    /// Like [`remote`](Self::remote), to `https://host:port`, over TLS of our own: only to a server
    /// whose certificate names `to`, with our certificate if both sides show one.
    pub fn secured(
        to: &str,
        url: &str,
        from: Identity,
        tls: &Tls,
    ) -> Result<Self, tonic::transport::Error> {
        let address: Uri = endpoint(url)?.uri().clone();
        // the connector speaks TLS: the endpoint must not
        let plain = url.replacen("https:", "http:", 1);
        let endpoint = endpoint(&plain)?.origin(address.clone());
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let channel = endpoint.connect_with_connector_lazy(Connector::new(tcp, to, address, tls));
        Ok(Self { to: to.into(), from, way: Way::Remote(channel) })
    }

    /// The name of the service it leads to.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Takes what belongs to the call out of the headers and fills up from the context. The
    /// context's token wins over one in the headers; of two deadlines the shorter one counts.
    fn outgoing(&self, headers: &mut HeaderMap) -> Arrival {
        let context = context::shared();
        let context = context.as_deref();
        headers.remove(arrival::SERVICE_TOKEN);
        headers.remove(arrival::TARGET);
        headers.remove(arrival::TRACEPARENT);
        headers.remove(arrival::CLIENT);
        let token = arrival::bearer(headers);
        let request_id = arrival::request_id(headers);
        let own = timeout::take(headers).and_then(timeout::after);
        let given = context.and_then(|c| c.deadline);
        let deadline = own.into_iter().chain(given).min();
        let of_context =
            |pick: fn(&CallContext) -> &Option<Arc<str>>| context.and_then(|c| pick(c).clone());
        Arrival {
            origin: Origin::Known(self.from.name.clone()),
            names: None,
            token: of_context(|c| &c.token).or(token),
            request_id: of_context(|c| &c.request_id).or(request_id),
            client: of_context(|c| &c.client),
            deadline: deadline.or_else(|| timeout::after(timeout::DEFAULT)),
            traceparent: None,
        }
    }

    /// The headers of a call to another process.
    fn write(&self, arrival: &Arrival, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, text: &str, secret: bool| {
            if let Ok(mut value) = HeaderValue::from_str(text) {
                value.set_sensitive(secret);
                headers.insert(name, value);
            }
        };
        set(arrival::SERVICE_TOKEN, &self.from.tokens.issue(&self.from.name, &self.to), true);
        set(arrival::TARGET, &self.to, false);
        if let Some(token) = &arrival.token {
            set(header::AUTHORIZATION.as_str(), &format!("Bearer {token}"), true);
        }
        if let Some(id) = &arrival.request_id {
            set(arrival::REQUEST_ID, id, false);
        }
        if let Some(client) = &arrival.client
            && &*self.from.name == arrival::GATEWAY
        {
            set(arrival::CLIENT, client, false);
        }
        if let Some(traceparent) = souk_telemetry::traceparent() {
            set(arrival::TRACEPARENT, &traceparent, false);
        }
    }
}

fn endpoint(url: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .http2_max_header_list_size(HEADERS_MAX);
    Ok(endpoint)
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if matches!(self.way, Way::Local(_)) { "local" } else { "remote" };
        write!(f, "Transport({} -> {}, {way})", self.from.name, self.to)
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    // a concrete type: with a boxed one, calls inside of `tokio::spawn` do not compile
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match &mut self.way {
            Way::Local(_) => Poll::Ready(Ok(())),
            Way::Remote(channel) => channel.poll_ready(cx).map_err(|e| unreachable(&self.to, &e)),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let arrival = self.outgoing(request.headers_mut());
        if let Way::Local(service) = &self.way {
            let call = service.clone().answer(arrival, request);
            return Box::pin(async move { Ok(call.await) });
        }
        let left = arrival.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Box::pin(async { Err(late()) });
        }
        self.write(&arrival, request.headers_mut());
        if let Some(value) = left.and_then(timeout::value) {
            request.headers_mut().insert(timeout::HEADER, value);
        }
        let Way::Remote(channel) = &mut self.way else {
            return Box::pin(async { Err(Status::internal("no way")) });
        };
        let call = channel.call(request);
        let to = self.to.clone();
        Box::pin(async move {
            let answer = match arrival.deadline {
                Some(at) => tokio::time::timeout_at(at.into(), call).await.map_err(|_| late())?,
                None => call.await,
            };
            match answer {
                Ok(response) => received(response, to),
                Err(error) => Err(unreachable(&to, &error)),
            }
        })
    }
}

/// A connection may break in the middle of an answer, too.
fn received(response: Response<Body>, to: Arc<str>) -> Result<Response<Body>, Status> {
    if code_of(response.headers()) == Some(Code::Cancelled)
        && Status::from_header_map(response.headers()).is_some_and(|s| s.message() == TONIC_TIMEOUT)
    {
        return Err(late());
    }
    Ok(response.map(|body| Body::new(body.map_err(move |status| unreachable(&to, &status)))))
}

/// What tonic says, with CANCELLED, when its own timer was first.
const TONIC_TIMEOUT: &str = "Timeout expired";

/// 503 promises that nothing was accepted, so only a call that never left is one; where the
/// connection broke later, nobody here knows.
fn unreachable(to: &str, error: &(dyn std::error::Error + 'static)) -> Status {
    let mut never_left = false;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return late();
        }
        never_left |= error.is::<tonic::ConnectError>()
            || error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        cause = error.source();
    }
    let told = crate::failure::chain(error);
    if never_left {
        tracing::warn!(to, error = told, "service cannot be reached");
        let message = format!("{to} cannot answer at the moment");
        return Failure::new(Kind::Unavailable, "service_unavailable", message).into();
    }
    tracing::warn!(to, error = told, "answer lost");
    let message = format!("{to} did not finish its answer: look whether it was done");
    Failure::new(Kind::Timeout, "answer_lost", message).into()
}
