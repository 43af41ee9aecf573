//! The bounds of an HTTP listener.
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use souk_service::{HttpBounds, Lent, serve_http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

async fn serve(bounds: HttpBounds) -> SocketAddr {
    serve_those(bounds, |_| true).await
}

/// Serves those whom `wanted` lets in.
async fn serve_those(
    bounds: HttpBounds,
    wanted: impl Fn(IpAddr) -> bool + Send + 'static,
) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let hello = |_: Request<Lent>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    };
    let service = move |peer: SocketAddr| wanted(peer.ip()).then(|| service_fn(hello));
    tokio::spawn(serve_http(socket, bounds, service, CancellationToken::new()));
    address
}

/// Everything until the server closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let closed = tokio::time::timeout(Duration::from_secs(30), read).await;
    // a reset is a close too
    let _ = closed.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn s26_a_head_that_does_not_come_ends_the_connection() {
    let short = Duration::from_millis(100);
    let address = serve(HttpBounds { head_time: short, ..HttpBounds::default() }).await;
    for begun in [&b""[..], b"GET / HTTP/1.1\r\nHost: he"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(!answer.contains("hello"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_without_a_next_request_ends() {
    let short = Duration::from_millis(100);
    let address = serve(HttpBounds { idle_time: short, ..HttpBounds::default() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    assert_eq!(until_closed(&mut stream).await.matches("hello").count(), 1);
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_one_to_end() {
    let address = serve(HttpBounds { connections: 2, ..HttpBounds::default() }).await;
    let mut answered = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GET).await.unwrap();
        let mut start = [0; 8];
        stream.read_exact(&mut start).await.unwrap();
        answered.push(stream);
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(GET).await.unwrap();
    let mut start = [0; 8];
    let early = tokio::time::timeout(Duration::from_millis(200), third.read_exact(&mut start));
    assert!(early.await.is_err(), "it was answered although both places were taken");
    answered.pop();
    let late = tokio::time::timeout(Duration::from_secs(30), third.read_exact(&mut start)).await;
    late.expect("it is its turn").unwrap();
    assert_eq!(&start, b"HTTP/1.1");
}

#[tokio::test]
async fn s26_a_connection_that_nobody_wants_is_closed_and_takes_no_place() {
    let unwanted: IpAddr = "127.0.0.2".parse().unwrap();
    let one_place = HttpBounds { connections: 1, ..HttpBounds::default() };
    let address = serve_those(one_place, move |peer| peer != unwanted).await;
    for _ in 0..5 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(unwanted, 0)).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        // it may be closed already
        let _ = stream.write_all(GET).await;
        assert_eq!(until_closed(&mut stream).await, "");
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut start = [0; 8];
    let answered = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut start));
    answered.await.expect("the place is free").unwrap();
    assert_eq!(&start, b"HTTP/1.1");
}
