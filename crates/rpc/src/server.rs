//! The door of a process for calls from other processes: HTTP/2 on TCP, or on the operator's Unix
//! socket.
use std::collections::HashMap;
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tower::Service;

use crate::Guarded;
use crate::arrival::{Arrival, TARGET};
use crate::hello::{Greeted, Stream};
use crate::tls::{Names, Tls};
use crate::transport::HEADERS_MAX;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
const STREAMS_MAX: u32 = 1024;
/// Streams that were reset before they were accepted (rapid reset); callers with deadlines reset
/// some themselves.
const RESETS_MAX: usize = 256;
/// Streams of one connection that we had to reset because its other end broke the protocol.
const ERRORS_MAX: usize = 1024;

/// Where calls come in.
pub enum ServerListener {
    Tcp(TcpListener),
    /// With our certificate; with mutual TLS only for callers who show one, too.
    Tls(TcpListener, Tls),
    /// The operator's: every call through it is the operator's, the file's mode 0600 is the guard.
    Unix(UnixListener, PathBuf),
}

impl ServerListener {
    pub async fn tcp(address: std::net::SocketAddr) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?))
    }

    /// Makes the socket with mode 0600. One that nobody answers at is replaced; one that somebody
    /// does is `AddrInUse`.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // nobody may connect between bind and chmod: it gets its name last
        let nameless = path.with_extension("new");
        let _ = fs::remove_file(&nameless);
        let listener = UnixListener::bind(&nameless)?;
        fs::set_permissions(&nameless, fs::Permissions::from_mode(0o600))?;
        fs::rename(&nameless, path)?;
        Ok(Self::Unix(listener, path.to_owned()))
    }

    /// The bound address of a TCP listener.
    pub fn local_addr(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

/// Answers calls until `stop`, then finishes those that run, for at most `drain`. Header
/// `souk-target` chooses the service; without it the first one (by name) that has the method does.
/// The standard health service answers anybody; it says NOT_SERVING from `stop` on.
pub fn serve(
    listener: ServerListener,
    services: HashMap<&'static str, Guarded>,
    stop: CancellationToken,
    drain: Duration,
) -> BoxFuture<'static, ()> {
    Box::pin(run(listener, services, stop, drain))
}

async fn run(
    listener: ServerListener,
    services: HashMap<&'static str, Guarded>,
    stop: CancellationToken,
    drain: Duration,
) {
    let (health, health_server) = tonic_health::server::health_reporter();
    for name in services.keys() {
        health.set_service_status(*name, ServingStatus::Serving).await;
    }
    let mut names: Vec<_> = services.into_iter().collect();
    names.sort_unstable_by_key(|(name, _)| *name);
    let doors = Doors {
        services: names.clone().into(),
        health: Routes::new(health_server).prepare(),
        operator: matches!(listener, ServerListener::Unix(..)),
        names: None,
    };
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok(accepted) => {
                    let (doors, watcher) = (doors.clone(), graceful.watcher());
                    connections.spawn(greet(accepted, doors, watcher, stop.clone()));
                }
                Err(error) => {
                    // out of file descriptors, most likely: not the moment to spin
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    if let ServerListener::Unix(_, path) = &listener {
        let _ = fs::remove_file(path);
    }
    drop(listener);
    for name in [""].into_iter().chain(names.iter().map(|(name, _)| *name)) {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "calls cut off at the end of the drain");
    }
    connections.shutdown().await;
}

/// A connection that somebody has opened.
enum Accepted {
    Open(Box<dyn Stream>),
    /// Hands are yet to be shaken.
    Tls(TcpStream, Tls),
}

async fn accept(listener: &ServerListener) -> io::Result<Accepted> {
    match listener {
        ServerListener::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(Accepted::Open(Box::new(stream)))
        }
        ServerListener::Tls(listener, tls) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(Accepted::Tls(stream, tls.clone()))
        }
        ServerListener::Unix(listener, _) => {
            let (stream, _) = listener.accept().await?;
            Ok(Accepted::Open(Box::new(stream)))
        }
    }
}

/// In the connection's own task: a caller who is slow, or no good, holds up nobody else.
async fn greet(accepted: Accepted, doors: Doors, watcher: Watcher, stop: CancellationToken) {
    let (stream, tls) = match accepted {
        Accepted::Open(stream) => return connection(stream, doors, watcher).await,
        Accepted::Tls(stream, tls) => (stream, tls),
    };
    let peer = stream.peer_addr().ok();
    let greeted = tokio::select! {
        () = stop.cancelled() => return,
        greeted = tls.accept(stream) => greeted,
    };
    match greeted {
        Ok((stream, names)) => {
            let doors = Doors { names, ..doors };
            connection(Box::new(stream), doors, watcher).await;
        }
        // load balancers only look whether the port is open
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::debug!(?peer, "a connection without a word");
        }
        Err(error) => tracing::warn!(?peer, %error, "refused a connection"),
    }
}

async fn connection(stream: Box<dyn Stream>, doors: Doors, watcher: Watcher) {
    let mut builder = Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(ERRORS_MAX)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_header_list_size(HEADERS_MAX);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        doors.answer(request.map(Body::new)).map(Ok::<_, Infallible>)
    });
    let stream = TokioIo::new(Greeted::new(stream));
    let connection = builder.serve_connection(stream, service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error, "connection ended");
    }
}

/// The services of this process behind one listener.
#[derive(Clone)]
struct Doors {
    services: Arc<[(&'static str, Guarded)]>,
    health: Routes,
    operator: bool,
    /// Of the certificate that the connection's caller showed.
    names: Option<Names>,
}

impl Doors {
    fn answer(&self, mut request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let target = request.headers_mut().remove(TARGET);
        let path = request.uri().path();
        let mut services = self.services.iter();
        let service = match &target {
            Some(target) => services.find(|(name, _)| name.as_bytes() == target.as_bytes()),
            None if path.starts_with("/grpc.health.v1.Health/") => {
                let call = self.health.clone().call(request);
                return Box::pin(call.map(|answer| answer.unwrap_or_else(|never| match never {})));
            }
            None => services.find(|(_, service)| service.lists(path)),
        };
        let Some((_, service)) = service else {
            let known = self.services.iter().find(|(name, _)| in_package(path, name));
            return match known {
                // refused there, and logged: the service is ours, the method is not listed
                Some((_, service)) if target.is_none() => self.pass(service, request),
                _ => Box::pin(async { Status::unimplemented("no such service").into_http() }),
            };
        };
        self.pass(service, request)
    }

    fn pass(
        &self,
        service: &Guarded,
        mut request: Request<Body>,
    ) -> BoxFuture<'static, Response<Body>> {
        let arrival = match self.operator {
            true => Arrival::of_operator(request.headers_mut()),
            false => Arrival {
                names: self.names.clone(),
                ..Arrival::from_headers(request.headers_mut())
            },
        };
        Box::pin(service.clone().answer(arrival, request))
    }
}

/// `/souk.catalog.v1.ProductService/…` is in the package of `catalog`.
fn in_package(path: &str, name: &str) -> bool {
    path.trim_start_matches('/').split('.').nth(1) == Some(name)
}
