//! The edge: what no request passes, whoever sends it (`reliability.md` S05, S23, S25, S26, S28, S33, S35).
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;
use souk_testkit::{Answer, Backend, Client, Shop, ShopPlan, client, eventually, journeys};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::{SOON, finish, plan, teapot, unique};

journeys!(
    s05_spoofed_addresses_change_nothing,
    s23_every_answer_has_its_security_headers,
    s25_unlisted_origins_are_not_allowed,
    s26_one_address_does_not_take_every_connection,
    s26_requests_have_bounds,
    s28_limits_hold_over_all_gateways,
    s28_overload_is_shed_and_the_rest_is_answered,
    s33_nothing_of_the_inside_is_on_the_street,
    s35_claims_of_clients_count_for_nothing,
);

/// Connects, sends all and reads until the shop closes; fails when it keeps the connection.
pub(crate) async fn sends(shop: &Shop, bytes: &[u8]) -> String {
    let address = shop.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("the shop listens");
    // it may close before it has read everything
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    // less than the 15 s after which idle connections end anyway
    let read = tokio::time::timeout(Duration::from_secs(12), stream.read_to_end(&mut answer)).await;
    let shown = String::from_utf8_lossy(bytes);
    assert!(read.is_ok(), "the connection stays open after {shown:.200}");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn status(answer: &str) -> u16 {
    let line = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    line.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// An address of nobody else, as a proxy would name it.
fn somebody() -> String {
    let [a, b] = rand::random::<[u8; 2]>();
    format!("198.18.{a}.{b}")
}

fn limited(backend: Backend) -> ShopPlan {
    plan(backend).set("gateway.rate_limit.enabled", true)
}

async fn from(client: &Client, address: &str, path: &str) -> Answer {
    let request = client.request(Method::POST, path).header("x-forwarded-for", address);
    client.send(request.json(&json!({}))).await
}

async fn logs_in(client: &Client, headers: &[(&str, String)]) -> Answer {
    let mut request = client.request(Method::POST, "/api/auth/login");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body = json!({ "username": unique("nobody"), "password": "a long enough guess" });
    client.send(request.json(&body)).await
}

async fn s05_spoofed_addresses_change_nothing(backend: Backend) {
    // no proxy is trusted: the peer counts, one of loopback's many addresses
    let shop = limited(backend).set("gateway.rate_limit.logins_per_minute", 3).open().await;
    let [a, b, c] = rand::random::<[u8; 3]>();
    let own = IpAddr::V4(Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254)));
    let http = reqwest::Client::builder().no_proxy().local_address(own).build().expect("a client");
    for try_number in 1..=5 {
        let answer = http
            .post(format!("{}/api/auth/login", shop.base()))
            .header("x-forwarded-for", somebody())
            .header("forwarded", format!("for={}", somebody()))
            .header("x-real-ip", somebody())
            .json(&json!({ "username": unique("nobody"), "password": "a long enough guess" }))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status() == 429, try_number > 3, "{try_number}: {}", answer.status());
    }
    assert!(shop.close().await);

    // a trusted proxy: the rightmost address that is no proxy counts
    let shop = limited(backend)
        .set("gateway.rate_limit.logins_per_minute", 3)
        .set("gateway.trusted_proxies", "[\"127.0.0.1\", \"10.0.0.0/8\"]")
        .open()
        .await;
    let (anonymous, client) = (shop.anonymous(), somebody());
    for try_number in 1..=5 {
        let said = format!("{}, {client}, 10.1.2.3", somebody());
        let answer = logs_in(&anonymous, &[("x-forwarded-for", said)]).await;
        if try_number > 3 {
            assert_eq!(answer.refused(429), "too_many_requests");
        } else {
            assert_ne!(answer.status, 429, "{try_number}");
        }
    }
    let other =
        logs_in(&anonymous, &[("x-forwarded-for", format!("{client}, {}", somebody()))]).await;
    assert_ne!(other.status, 429, "somebody else is not held back");
    finish(shop).await;
}

async fn s23_every_answer_has_its_security_headers(backend: Backend) {
    let shop = plan(backend).set("gateway.public_url", "https://shop.example").open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let id = admin.creates_product(&teapot()).await.field("id");
    let path = client::product(&id);
    let first = anonymous.get(&path).await;
    let known = anonymous.request(Method::GET, &path).header("if-none-match", first.etag());
    let broken = anonymous.with_token("broken");
    let large = anonymous.request(Method::POST, "/api/auth/login").json(&"x".repeat(2 << 20));
    let answers = [
        (200, first.clone()),
        (200, anonymous.get(&path).await),
        (304, anonymous.send(known).await),
        (200, anonymous.get("/api/products").await),
        (200, anonymous.get("/api/products").await),
        (200, admin.get("/api/users").await),
        (200, anonymous.get("/healthz").await),
        (200, anonymous.get("/").await),
        (200, anonymous.get("/api/docs").await),
        (401, broken.get("/api/me").await),
        (404, anonymous.get("/nothing").await),
        (405, anonymous.delete("/api/products").await),
        (413, anonymous.send(large).await),
        (422, admin.creates_product(&json!({})).await),
    ];
    for (status, answer) in &answers {
        assert_eq!(answer.status, *status, "{}: {}", answer.request, answer.text());
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("server", ""),
            ("x-powered-by", ""),
        ] {
            assert_eq!(answer.header(name), value, "{} {status}: {name}", answer.request);
        }
        let policy = answer.header("content-security-policy");
        let page = answer.header("content-type").starts_with("text/html");
        assert!(policy.contains("frame-ancestors 'none'"), "{}: {policy}", answer.request);
        assert_eq!(policy.starts_with("default-src 'none'"), !page, "{}: {policy}", answer.request);
        assert!(!policy.contains("unsafe"), "{}: {policy}", answer.request);
        assert!(!answer.header("permissions-policy").is_empty(), "{}", answer.request);
        assert!(!answer.header("x-request-id").is_empty(), "{}", answer.request);
    }
    // the one inline style is the one that the policy names
    let page = anonymous.get("/").await;
    let text = page.text();
    let style = text.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let (style, _) = style.expect("a style");
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, style.as_bytes()));
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    assert!(!text.contains("<script") && !text.contains(" style="), "nothing else is inline");
    finish(shop).await;
    // by plain http nobody promises https
    let shop = plan(backend).open().await;
    let answer = shop.anonymous().get("/api/products").await;
    assert_eq!(answer.header("strict-transport-security"), "");
    finish(shop).await;
}

async fn preflight(client: &Client, origin: &str) -> Answer {
    let request = client
        .request(Method::OPTIONS, "/api/products")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    client.send(request).await
}

async fn s25_unlisted_origins_are_not_allowed(backend: Backend) {
    let listed = plan(backend).set("gateway.cors.allowed_origins", "[\"https://web.example\"]");
    for (shop, allowed) in [(plan(backend).open().await, false), (listed.open().await, true)] {
        let anonymous = shop.anonymous();
        for origin in ["https://evil.example", "null", "https://web.example.evil.example"] {
            let answer = preflight(&anonymous, origin).await;
            assert_eq!(answer.refused(403), "origin_not_allowed");
            let read = anonymous.request(Method::GET, "/api/products").header("origin", origin);
            for answer in [answer, anonymous.send(read).await] {
                let allows = |name: &http::HeaderName| name.as_str().contains("control-allow");
                assert!(!answer.headers.keys().any(allows), "{origin}: {:?}", answer.headers);
            }
        }
        let answer = preflight(&anonymous, "https://web.example").await;
        assert_eq!(answer.status, if allowed { 204 } else { 403 });
        let origin = if allowed { "https://web.example" } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        finish(shop).await;
    }
}

async fn s26_requests_have_bounds(backend: Backend) {
    let shop = plan(backend).set("gateway.body_timeout_s", 1).open().await;
    let anonymous = shop.anonymous();
    // the body: exactly 1 MiB is read, one byte more is not
    let filled = |size: usize| {
        let (start, end) = ("{\"username\":\"x\",\"password\":\"", "\"}");
        format!("{start}{}{end}", "p".repeat(size - start.len() - end.len()))
    };
    for (size, too_large) in [(1 << 20, false), ((1 << 20) + 1, true)] {
        let request = anonymous.request(Method::POST, "/api/auth/login");
        let request = request.header("content-type", "application/json").body(filled(size));
        let answer = anonymous.send(request).await;
        assert_eq!(answer.status == 413, too_large, "{size}: {}", answer.status);
    }
    // parameters
    let many: String = (0..10_000).map(|n| format!("p{n}&")).collect();
    for query in [many.as_str(), "limit=1&limit=2", "sort=name&%73ort=price", "a=%ff"] {
        for path in ["/api/products", "/healthz", "/api/cart"] {
            assert_eq!(
                anonymous.get(&format!("{path}?{query}")).await.refused(400),
                "not_parsable"
            );
        }
    }
    anonymous.get("/api/products?tag=a&tag=b").await.expect(200);
    // heads
    let head = |lines: String| format!("GET /healthz HTTP/1.1\r\nHost: shop\r\n{lines}\r\n");
    let lines = |count: usize| (0..count).map(|n| format!("X-{n}: a\r\n")).collect::<String>();
    let fine = sends(&shop, head(lines(90) + "Connection: close\r\n").as_bytes()).await;
    assert_eq!(status(&fine), 200, "{fine}");
    for lines in [lines(101), lines(1_000), format!("X-Long: {}\r\n", "a".repeat(70 * 1024))] {
        let answer = sends(&shop, head(lines).as_bytes()).await;
        assert_eq!(status(&answer), 431, "{answer}");
    }
    // a body that does not come
    let slow = "POST /api/auth/login HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    let answer = sends(&shop, slow.as_bytes()).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("body_timeout"), "{answer}");
    // no host, or two
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        assert_eq!(status(&sends(&shop, request.as_bytes()).await), 400, "{hosts}");
    }
    finish(shop).await;
}

/// A connection from this address of the loopback network, and its first answer; empty: it was
/// closed without one.
async fn comes_from(shop: &Shop, last: u8) -> (TcpStream, String) {
    let there: SocketAddr = shop.base().trim_start_matches("http://").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("the loopback network");
    let mut stream = socket.connect(there).await.expect("the shop listens");
    let request = "GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n";
    // it may be closed already
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(SOON, stream.read(&mut answer)).await;
    answer.truncate(read.expect("an answer or an end").unwrap_or_default());
    (stream, String::from_utf8_lossy(&answer).into_owned())
}

async fn s26_one_address_does_not_take_every_connection(backend: Backend) {
    const MOST: usize = 8;
    let (slow, other, proxy) = (2, 3, 9);
    let shop = limited(backend)
        .set("gateway.max_connections_per_address", MOST)
        .set("gateway.trusted_proxies", format!("[\"127.0.0.{proxy}\"]"))
        .open()
        .await;
    let mut held = Vec::new();
    for _ in 0..MOST {
        let (stream, answer) = comes_from(&shop, slow).await;
        assert_eq!(status(&answer), 200, "{answer}");
        held.push(stream);
    }
    for _ in 0..3 {
        assert_eq!(comes_from(&shop, slow).await.1, "", "it has as many as it may have");
    }
    assert_eq!(status(&comes_from(&shop, other).await.1), 200, "nobody else is in the way");
    // a proxy brings everybody
    for _ in 0..3 * MOST {
        let (stream, answer) = comes_from(&shop, proxy).await;
        assert_eq!(status(&answer), 200, "{answer}");
        held.push(stream);
    }
    // whoever leaves makes room
    drop(held.remove(0));
    eventually("there is room again", SOON, || async {
        match comes_from(&shop, slow).await.1 {
            answer if status(&answer) == 200 => Ok(()),
            answer => Err(answer),
        }
    })
    .await;
    drop(held);
    finish(shop).await;
}

async fn s28_limits_hold_over_all_gateways(backend: Backend) {
    let mut planned = limited(backend)
        .set("gateway.trusted_proxies", "[\"127.0.0.1\"]")
        .set("gateway.rate_limit.routes.register", "2/hour")
        .set("gateway.rate_limit.routes.orders", "2/hour");
    if backend == Backend::Servers {
        planned = planned.set("grpc.listen", "127.0.0.1:0");
    }
    let mut shop = planned.open().await;
    let (anonymous, address) = (shop.anonymous(), somebody());
    let register = "/api/auth/register";
    for left in ["1", "0"] {
        let answer = from(&anonymous, &address, register).await;
        assert_ne!(answer.status, 429, "{}", answer.text());
        assert_eq!(
            (answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")),
            ("2", left)
        );
        assert!(
            answer.header("ratelimit-reset").parse::<u32>().is_ok_and(|s| (1..=3600).contains(&s))
        );
    }
    let refused = from(&anonymous, &address, register).await;
    assert_eq!(refused.refused(429), "too_many_requests");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|s| (1..=1800).contains(&s)));
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    assert_ne!(from(&anonymous, &somebody(), register).await.status, 429, "another address");
    // of accounts, wherever they come from
    let (ada, bob) = (shop.customer().await, shop.customer().await);
    for expected in [false, false, true] {
        let answer = from(&ada, &somebody(), "/api/checkout/quote").await;
        assert_eq!(answer.status == 429, expected, "{}", answer.text());
    }
    assert_ne!(from(&bob, &somebody(), "/api/checkout/quote").await.status, 429);
    if backend == Backend::Servers {
        let far = shop.second_gateway().await;
        assert_eq!(from(&anonymous.at(&far), &address, register).await.status, 429);
        assert_eq!(from(&ada.at(&far), &somebody(), "/api/checkout/quote").await.status, 429);
        assert_ne!(from(&anonymous.at(&far), &somebody(), register).await.status, 429);
    }
    finish(shop).await;
}

async fn s28_overload_is_shed_and_the_rest_is_answered(backend: Backend) {
    // hashes that take their time stand in for a slow neighbor
    let shop = plan(backend)
        .set("gateway.max_in_flight", 16)
        .set("accounts.argon2.memory_kib", 19_456)
        .set("accounts.argon2.iterations", 32)
        .open()
        .await;
    let anonymous = shop.anonymous();
    let all: Vec<_> = (0..80)
        .map(|_| {
            let anonymous = anonymous.clone();
            tokio::spawn(async move { logs_in(&anonymous, &[]).await })
        })
        .collect();
    anonymous.get("/healthz").await.expect(200);
    anonymous.get("/readyz").await.expect(200);
    let (mut worked, mut shed) = (0, 0);
    for answer in all {
        let answer = answer.await.expect("everybody is answered");
        match answer.status {
            503 => {
                let code = answer.refused(503);
                assert!(!answer.header("retry-after").is_empty(), "{code}");
                shed += usize::from(code == "overloaded");
            }
            status => {
                answer.status_in(&[401, 429]);
                worked += usize::from(status == 401);
            }
        }
    }
    assert!(worked > 0 && shed > 0, "{worked} were answered, {shed} were shed");
    anonymous.get("/api/products").await.expect(200);
    finish(shop).await;
}

async fn s33_nothing_of_the_inside_is_on_the_street(backend: Backend) {
    let shop = plan(backend).open().await;
    let anonymous = shop.anonymous();
    for path in [
        "/metrics",
        "/debug",
        "/debug/pprof",
        "/actuator",
        "/server-status",
        "/.git/config",
        "/.env",
        "/api/metrics",
        "/api/images",
        "/api/images/",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/souk.accounts.v1.SessionService/Login",
    ] {
        anonymous.get(path).await.refused(404);
    }
    for path in ["/", "/api/products", "/api/me", "/nothing"] {
        let request = anonymous.request(Method::TRACE, path).header("x-secret", "echo");
        let answer = anonymous.send(request).await;
        assert_eq!(answer.refused(405), "method_not_allowed");
        assert!(!answer.text().contains("echo"));
    }
    let connect = "CONNECT evil.example:443 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&sends(&shop, connect.as_bytes()).await), 405);
    finish(shop).await;
}

async fn s35_claims_of_clients_count_for_nothing(backend: Backend) {
    let shop = plan(backend)
        .set("gateway.public_url", "https://shop.example")
        .set("gateway.trusted_proxies", "[\"127.0.0.1\"]")
        .open()
        .await;
    let admin = shop.admin().await;
    let id = admin.get("/api/me").await.expect(200)["id"].clone();
    let anonymous = shop.anonymous();
    let claims = [
        ("x-user-id", id.as_str().expect("an id")),
        ("x-user-role", "admin"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-user", "admin"),
        ("souk-service-token", "gateway"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("baggage", "user=admin"),
    ];
    for path in ["/api/me", "/api/users"] {
        let mut request = anonymous.request(Method::GET, path);
        for (name, value) in claims {
            request = request.header(name, value);
        }
        let answer = anonymous.send(request).await;
        assert_eq!(answer.refused(401), "unauthenticated");
        assert_ne!(answer.json()["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    }
    // what came to the proxy without TLS: pages are sent home, programs are refused
    let plain = |path: &'static str| {
        anonymous.request(Method::GET, path).header("x-forwarded-proto", "http")
    };
    let page = anonymous.send(plain("/")).await;
    assert_eq!((page.status, page.header("location")), (308, "https://shop.example/"));
    assert_eq!(anonymous.send(plain("/api/products")).await.refused(400), "https_needed");
    anonymous.send(plain("/healthz")).await.expect(200);
    let secure =
        anonymous.request(Method::GET, "/api/products").header("x-forwarded-proto", "https");
    anonymous.send(secure).await.expect(200);
    // the mailbox is for whoever sits at this machine, not for who came through the proxy
    let far = anonymous.request(Method::GET, "/dev/mailbox").header("x-forwarded-for", somebody());
    anonymous.send(far).await.refused(404);
    finish(shop).await;
}
