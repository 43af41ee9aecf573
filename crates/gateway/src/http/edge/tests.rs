//! What every request passes, in one process.
use axum::routing::get;

use super::*;

async fn answer(router: &Router, path: &str) -> (u16, String) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let context = CallContext { request_id: Some("r1".into()), ..CallContext::default() };
    let response = run(router.clone(), request, context, Duration::from_secs(60)).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn s29_a_panic_or_a_standstill_is_a_problem_and_the_next_request_is_answered() {
    let broken = || async {
        if std::hint::black_box(true) {
            panic!("SELECT secret FROM /etc/passwd");
        }
        "never"
    };
    let router = Router::new()
        .route("/broken", get(broken))
        .route("/endless", get(std::future::pending::<&'static str>))
        .route("/fine", get(|| async { "fine" }));
    for (path, expected, code) in [("/broken", 500, "internal"), ("/endless", 504, "timeout")] {
        let (status, body) = answer(&router, path).await;
        assert_eq!(status, expected, "{body}");
        assert!(body.contains(&format!("\"code\":\"{code}\"")) && body.contains("r1"), "{body}");
        for inside in ["SELECT", "passwd", "panicked", ".rs", "souk"] {
            assert!(!body.contains(inside), "{body}");
        }
    }
    assert_eq!(answer(&router, "/fine").await, (200, "fine".to_owned()));
}

#[test]
fn paths_lose_their_last_slash() {
    let without = |target: &str| {
        let mut request = Request::builder().uri(target).body(Body::empty()).unwrap();
        without_slash(&mut request);
        request.uri().to_string()
    };
    assert_eq!(without("/api/products/?limit=1"), "/api/products?limit=1");
    assert_eq!(without("/api/products//"), "/api/products");
    assert_eq!(without("/"), "/");
    assert_eq!(without("//"), "/");
}

#[test]
fn invented_methods_share_a_name_in_the_metrics() {
    assert_eq!(method_name(&Method::GET), "GET");
    assert_eq!(method_name(&"BREW".parse().unwrap()), "other");
}
