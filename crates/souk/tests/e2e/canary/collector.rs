//! A collector of traces that keeps what it is sent.
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::wire::Bare;

/// Takes every export and says that all is well.
#[derive(Clone)]
pub(super) struct Collector {
    url: String,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// Listens; its address is for `log.otlp_endpoint`.
    pub(super) async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self { url: url.clone(), kept: Arc::default() };
        let server = Server::builder().add_service(collector.clone());
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        (collector, url)
    }

    /// All that was exported so far.
    pub(super) fn exported(&self) -> Vec<u8> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Exports something itself, as the shop would.
    pub(super) async fn tell(&self, export: &[u8]) {
        let channel = Endpoint::from_shared(self.url.clone()).expect("an address");
        let mut client = tonic::client::Grpc::new(channel.connect().await.expect("it answers"));
        client.ready().await.expect("it is ready");
        let path = PathAndQuery::from_static(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        );
        client.unary(Request::new(export.to_vec()), path, Bare).await.expect("it is taken");
    }
}

impl NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl UnaryService<Vec<u8>> for Collector {
    type Response = Vec<u8>;
    type Future = BoxFuture<Response<Vec<u8>>, Status>;

    fn call(&mut self, export: Request<Vec<u8>>) -> Self::Future {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(export.into_inner());
        Box::pin(async { Ok(Response::new(Vec::new())) })
    }
}

impl Service<http::Request<Body>> for Collector {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let collector = self.clone();
        Box::pin(async move {
            let mut grpc =
                Grpc::new(Bare).apply_max_message_size_config(Some(64 * 1024 * 1024), None);
            Ok(grpc.unary(collector, request).await)
        })
    }
}
