//! An HTTP/1.1 server with bounds: header time and size, connections, a graceful end.
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

mod lent;
mod patience;

use patience::{Patient, Turn};

pub use lent::Lent;

/// Of one request's head; more is 431.
const MAX_HEAD: usize = 64 * 1024;
/// Lines of a head; more is 431.
const MAX_HEADERS: usize = 100;

/// What one listener bears.
#[derive(Clone, Copy, Debug)]
pub struct HttpBounds {
    /// Connections at once; more wait in the listen queue of the kernel.
    pub connections: usize,
    /// For the whole head of a request (slow-loris).
    pub head_time: Duration,
    /// Between two requests, and to take anything of an answer. Longer than load balancers keep a connection that they
    /// are about to use (60 s on AWS): the one who closes first must be the one who sends.
    pub idle_time: Duration,
}

impl Default for HttpBounds {
    fn default() -> Self {
        Self {
            connections: 8192,
            head_time: Duration::from_secs(15),
            idle_time: Duration::from_secs(75),
        }
    }
}

/// Serves `socket` until `stop`; then accepts no more, answers what is in flight and closes idle
/// connections.
/// `service_for` makes the service of one connection, knowing the peer; a connection for which it
/// makes none is closed at once and takes no place.
pub async fn serve_http<S, B>(
    socket: TcpListener,
    bounds: HttpBounds,
    service_for: impl Fn(SocketAddr) -> Option<S>,
    stop: CancellationToken,
) where
    S: Service<Request<Lent>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    // Times are kept by `Patient`: hyper's limit for a head would close idle connections as well.
    http.header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            permit = connections.clone().acquire_owned() => match permit {
                Err(_) => break,
                Ok(permit) => tokio::select! {
                    () = stop.cancelled() => break,
                    accepted = socket.accept() => accepted.map(|(stream, peer)| (stream, peer, permit)),
                },
            },
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of file descriptors, mostly: others must end first
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(service) = service_for(peer) else { continue };
        let _ = stream.set_nodelay(true);
        let turn = Turn::default();
        let connection = http.serve_connection(
            TokioIo::new(Patient::new(stream, turn.clone(), bounds)),
            service_fn(move |request| answer(service.clone(), request, turn.clone())),
        );
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // a client that goes away is no event of ours
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(socket);
    graceful.shutdown().await;
}

/// Answers once the whole body was read, by the service or for nothing: a client that is still
/// sending when the connection closes would lose the answer that says why.
async fn answer<S, B>(
    mut service: S,
    request: Request<hyper::body::Incoming>,
    turn: Turn,
) -> Result<Response<B>, Infallible>
where
    S: Service<Request<Lent>, Response = Response<B>, Error = Infallible>,
{
    turn.ours();
    let waits = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let (body, lender) = Lent::new(body, waits);
    let mut response = service.call(Request::from_parts(head, body)).await?;
    if let Some(lender) = lender
        && !lender.finish().await
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    turn.theirs();
    Ok(response)
}
