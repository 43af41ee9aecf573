//! Spans on their way to a collector. A program of its own: a process can be set up only once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail like this")]
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use souk_telemetry::{Telemetry, TelemetrySettings, set_parent, traceparent};
use tonic::body::Body;
use tower::Service;

const REMOTE_TRACE: [u8; 16] = [
    0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c,
];

/// Takes every export and says that all is well.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Bytes>>>);

impl tonic::server::NamedService for Collector {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl Service<Request<Body>> for Collector {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let exports = self.0.clone();
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            exports.lock().unwrap().push(body);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let frames = [
                // an empty message
                Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(&[0; 5]))),
                Ok(http_body::Frame::trailers(trailers)),
            ];
            let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
            let mut response = Response::new(body);
            let kind = "application/grpc".parse().unwrap();
            response.headers_mut().insert("content-type", kind);
            Ok(response)
        })
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_sends_every_span_that_was_sampled() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(collector.clone());
    tokio::spawn(server.serve_with_incoming(incoming));

    let telemetry = Telemetry::start(&TelemetrySettings {
        level: "info".into(),
        format: "json".into(),
        otlp_endpoint: format!("http://{address}"),
        // none of our own traces, but those that somebody else sampled
        sample_ratio: 0.0,
        service_name: "souk-catalog".into(),
    })
    .unwrap();
    assert!(souk_telemetry::is_exporting());
    let span = tracing::info_span!("call", otel.name = "souk.Wanted/Call");
    set_parent(&span, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let told = span.in_scope(traceparent).unwrap();
    assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-01"));
    drop(span);
    let own = tracing::info_span!("call", otel.name = "souk.Unwanted/Call").in_scope(traceparent);
    assert!(own.unwrap().ends_with("-00"), "it has ids, though it is not sampled");
    telemetry.shutdown().await;

    let exports = collector.0.lock().unwrap().concat();
    for part in [&b"souk-catalog"[..], b"souk.Wanted/Call", &REMOTE_TRACE] {
        assert!(contains(&exports, part), "{part:?}");
    }
    assert!(!contains(&exports, b"souk.Unwanted/Call"));
}
