//! No request hides another one (`reliability.md` S27).
use http::Method;
use souk_testkit::{Backend, journeys};

use crate::edge::{sends, status};
use crate::{finish, plan};

journeys!(s27_smuggled_requests_are_not_answered);

/// Requests that a proxy in front could read otherwise than we do; each hides a second one.
fn smuggling() -> Vec<(&'static str, String)> {
    const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n";
    let post = |lines: &str, body: &str| {
        format!(
            "POST /api/auth/refresh HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
             {lines}\r\n{body}{HIDDEN}"
        )
    };
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    let mut all = vec![
        ("CL and TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", chunks)),
        ("TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", chunks)),
        (
            "TE behind a bare LF",
            post("X: y\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n", chunks),
        ),
        ("a folded TE", post("Transfer-Encoding:\r\n chunked\r\n", chunks)),
        ("a folded line", post("X: y\r\n Content-Length: 2\r\n", "{}")),
        ("a blank before the colon", post("Transfer-Encoding : chunked\r\n", chunks)),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 60\r\n", "{}")),
        ("CR in a value", post("X: a\rContent-Length: 2\r\n", "{}")),
        ("NUL in a value", post("X: a\0b\r\n", "")),
        ("a chunk's size behind LF", post("Transfer-Encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n")),
        (
            "an extension with LF",
            post("Transfer-Encoding: chunked\r\n", "2;a\nb\r\n{}\r\n0\r\n\r\n"),
        ),
        (
            "an endless chunk",
            post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ),
        ("a negative chunk", post("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n")),
        ("a chunk without end", post("Transfer-Encoding: chunked\r\n", "2\r\n{}XX0\r\n\r\n")),
        ("HTTP/2", format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{HIDDEN}")),
        ("HTTP/0.9", format!("GET /healthz\r\n\r\n{HIDDEN}")),
    ];
    for coding in
        ["xchunked", "chunked, identity", "identity", "chunked;q=1", "\u{b}chunked", "gzip"]
    {
        all.push((coding, post(&format!("Transfer-Encoding: {coding}\r\n"), chunks)));
    }
    for length in ["+2", "-2", "0x2", "2, 60", "2 2", "2a", "99999999999999999999", "\"2\""] {
        all.push((length, post(&format!("Content-Length: {length}\r\n"), "{}")));
    }
    let old = post("Transfer-Encoding: chunked\r\n", chunks).replacen("HTTP/1.1", "HTTP/1.0", 1);
    all.push(("HTTP/1.0 with TE", old));
    all
}

async fn s27_smuggled_requests_are_not_answered(backend: Backend) {
    let shop = plan(backend).open().await;
    for (what, bytes) in smuggling() {
        // `sends` sees that the connection is closed
        let answer = sends(&shop, bytes.as_bytes()).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{what}: {answer}");
        assert!(
            !answer.contains("\"status\":\"ok\""),
            "{what}: the hidden one is answered: {answer}"
        );
        assert!([0, 400, 422].contains(&status(&answer)), "{what}: {answer}");
    }
    // lines that end by LF alone are one request, not two
    let bare = "GET /healthz HTTP/1.1\nHost: shop\nConnection: close\n\n";
    assert_eq!(sends(&shop, bare.as_bytes()).await.matches("HTTP/1.1 ").count(), 1);
    // nothing that a client sends ends a line of the answer
    let anonymous = shop.anonymous();
    for target in
        ["/api/products/x%0d%0aset-cookie:%20a=b", "/%0d%0aset-cookie:a=b", "/api/orders/%0a"]
    {
        let request = anonymous.request(Method::GET, target).header("x-request-id", "a%0d%0ab");
        let answer = anonymous.send(request).await;
        assert!(answer.header("set-cookie").is_empty(), "{target}");
        assert!(answer.headers.values().all(|value| !value.as_bytes().contains(&b'%')), "{target}");
    }
    finish(shop).await;
}
