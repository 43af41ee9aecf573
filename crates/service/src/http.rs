//! An HTTP/1.1 server with bounds: header time and size, connections, a graceful end.
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

mod lent;

pub use lent::Lent;

/// More wait in the listen queue of the kernel.
const MAX_CONNECTIONS: usize = 8192;
/// For the whole head of a request (slow-loris).
const HEAD_TIME: Duration = Duration::from_secs(15);
/// Of one request's head; more is 431.
const MAX_HEAD: usize = 64 * 1024;

/// Serves `socket` until `stop`; then accepts no more, answers what is in flight and closes idle
/// connections.
/// `service_for` makes the service of one connection, knowing the peer.
pub async fn serve_http<S, B>(
    socket: TcpListener,
    service_for: impl Fn(SocketAddr) -> S,
    stop: CancellationToken,
) where
    S: Service<Request<Lent>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .max_headers(100)
        .pipeline_flush(true);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
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
        let _ = stream.set_nodelay(true);
        let service = service_for(peer);
        let connection = http.serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(service.clone(), request)),
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
) -> Result<Response<B>, Infallible>
where
    S: Service<Request<Lent>, Response = Response<B>, Error = Infallible>,
{
    let waits = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let (body, lender) = Lent::new(body, waits);
    let mut response = service.call(Request::from_parts(head, body)).await?;
    if let Some(lender) = lender
        && !lender.finish().await
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
