//! The HTTP server by itself: answers reach clients that are still sending.
use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use souk_service::{HttpBounds, Lent, serve_http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

const MIB: usize = 1024 * 1024;

/// Refuses what is posted to `/never` unread and to `/some` after the first bytes; else echoes the
/// length.
async fn answer(request: Request<Lent>) -> Result<Response<Full<Bytes>>, Infallible> {
    let refused = || {
        let mut refused = Response::new(Full::from("too large"));
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        refused
    };
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    Ok(match path.as_str() {
        "/never" => refused(),
        "/some" => {
            body.frame().await.unwrap().unwrap();
            refused()
        }
        _ => {
            let length = body.collect().await.unwrap().to_bytes().len();
            Response::new(Full::from(length.to_string()))
        }
    })
}

async fn open() -> (SocketAddr, CancellationToken) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let service = |_| Some(service_fn(answer));
    tokio::spawn(serve_http(socket, HttpBounds::default(), service, stop.clone()));
    (address, stop)
}

async fn send(stream: &mut TcpStream, head: &str, body: usize) {
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; body]).await.unwrap();
}

/// One answer: its head and, if it has a length, its body.
async fn read(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                return text;
            }
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.unwrap();
        assert!(count > 0, "the connection ended: {text}");
        all.extend_from_slice(&more[..count]);
    }
}

fn head(path: &str, length: usize, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{more}\r\n")
}

#[tokio::test]
async fn an_answer_comes_though_the_body_was_not_wanted_and_the_connection_stays() {
    let (address, stop) = open().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for path in ["/never", "/some", "/never"] {
        send(&mut stream, &head(path, 4 * MIB, ""), 4 * MIB).await;
        let answer = read(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    send(&mut stream, &head("/all", 5, ""), 5).await;
    assert!(read(&mut stream).await.ends_with("\r\n\r\n5"));
    stop.cancel();
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_refused_before_it_sends() {
    let (address, stop) = open().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, &head("/never", 4 * MIB, "expect: 100-continue\r\n"), 0).await;
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    stop.cancel();
}

#[tokio::test]
async fn more_than_can_be_read_for_nothing_ends_the_connection_after_its_answer() {
    let (address, stop) = open().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, &head("/never", 64 * MIB, ""), 9 * MIB).await;
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    stop.cancel();
}
