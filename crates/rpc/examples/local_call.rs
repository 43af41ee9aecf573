//! What a call inside of the process costs: `cargo run --release -p souk-rpc --example local_call`.
//!
//! Prints nanoseconds per call, the smallest of nine rounds: the generated server alone, the whole
//! stack, the stack with a user's token, the stack with spans filtered out, and a repeated token
//! check.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints figures for its reader"
)]

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use http::{Request, Response};
use souk_auth::{AccessClaims, Rule, ServiceTokens, SigningKey, Verifier};
use souk_rpc::{CallContext, Identity, Stack, Transport, scope};
use souk_telemetry::{Telemetry, TelemetrySettings};
use souk_values::{Clock, SessionId, UserId};
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Service;

const ROUNDS: usize = 9;
const CALLS: usize = 5_000;

/// The health service under a name of its own, so that it goes through identity and table like any
/// other.
#[derive(Clone)]
struct Renamed<T>(T);

impl<T: Service<Request<Body>>> Service<Request<Body>> for Renamed<T> {
    type Response = T::Response;
    type Error = T::Error;
    type Future = T::Future;
    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }
    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        *request.uri_mut() = http::Uri::from_static("/grpc.health.v1.Health/Check");
        self.0.call(request)
    }
}

impl<T> tonic::server::NamedService for Renamed<T> {
    const NAME: &'static str = "souk.bench.v1.Health";
}

/// Sends what the generated client sends, but to the renamed service.
#[derive(Clone)]
struct To(Transport);

impl Service<Request<Body>> for To {
    type Response = Response<Body>;
    type Error = tonic::Status;
    type Future = <Transport as Service<Request<Body>>>::Future;
    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }
    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        *request.uri_mut() = http::Uri::from_static("/souk.bench.v1.Health/Check");
        self.0.call(request)
    }
}

async fn measure<F: Future<Output = ()>>(name: &str, mut call: impl FnMut() -> F) {
    let mut best = u128::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            call().await;
        }
        best = best.min(start.elapsed().as_nanos() / CALLS as u128);
    }
    println!("{name:<44} {best:>8} ns");
}

async fn check<T>(client: &HealthClient<T>)
where
    T: Service<Request<Body>, Response = Response<Body>> + Clone,
    T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request = HealthCheckRequest { service: String::new() };
    client.clone().check(request).await.unwrap();
}

fn identity() -> (Arc<Verifier>, Arc<ServiceTokens>, String) {
    let key = SigningKey::from_seed(&[1; 32]);
    let jwks = serde_json::to_string(&key.jwks()).unwrap();
    let source = Arc::new(move || {
        let jwks = jwks.clone();
        Box::pin(async move { Ok(jwks) }) as BoxFuture<'static, anyhow::Result<String>>
    });
    let now = Clock::system().now().timestamp();
    let token = key.sign(&AccessClaims {
        iss: "souk".into(),
        aud: "souk".into(),
        sub: UserId::new().to_string(),
        sid: SessionId::new().to_string(),
        role: "admin".into(),
        perms: souk_auth::Permission::ALL.iter().map(ToString::to_string).collect(),
        iat: now,
        nbf: now,
        exp: now + 600,
        jti: "1".into(),
        fresh: now + 600,
        enrol: false,
        key: false,
    });
    let tokens = ServiceTokens::new(b"secret", Clock::system());
    (Arc::new(Verifier::new(source, Clock::system())), Arc::new(tokens), token)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let telemetry = Telemetry::start(&TelemetrySettings {
        level: "info".into(),
        format: "json".into(),
        otlp_endpoint: String::new(),
        sample_ratio: 1.0,
        service_name: "bench".into(),
    })
    .unwrap();
    let (verifier, tokens, token) = identity();
    let (_, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(Renamed(health.clone()));
    let stack = Stack {
        name: "bench",
        methods: &[("/souk.bench.v1.Health/Check", Rule::AnyService)],
        verifier: verifier.clone(),
        tokens: tokens.clone(),
        concurrency: 0,
        refusals: None,
    };
    let from = Identity { name: "gateway".into(), tokens };
    let local = HealthClient::new(To(Transport::local("bench", stack.guard(routes), from)));
    let bare = HealthClient::new(Routes::new(health).prepare());

    measure("generated server alone (Routes)", || check(&bare)).await;
    measure("whole stack", || check(&local)).await;
    let with_token = CallContext { token: Some(token.as_str().into()), ..CallContext::default() };
    measure("whole stack, user's token checked again", || scope(with_token.clone(), check(&local)))
        .await;
    telemetry.set_level("warn").unwrap();
    measure("whole stack, spans filtered out", || check(&local)).await;
    measure("a token checked again", || async {
        verifier.verify(&token).await.unwrap();
    })
    .await;
    measure("a span that is filtered out", || async {
        drop(tracing::info_span!("hot", route = "product"));
    })
    .await;
    telemetry.set_level("info").unwrap();
    measure("a span that is not", || async {
        drop(tracing::info_span!("hot", route = "product"));
    })
    .await;
    let _span = tracing::info_span!("request").entered();
    measure("trace id of a span that has one", || async {
        souk_telemetry::trace_id().unwrap();
    })
    .await;
}
