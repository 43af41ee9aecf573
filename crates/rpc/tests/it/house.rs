//! Two services behind every kind of door.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use souk_auth::{AccessClaims, Permission, ServiceTokens, SigningKey, Verifier};
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::category_service_server::CategoryServiceServer;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::transfer_service_server::TransferServiceServer;
use souk_proto::catalog::v1::{Category, CreateCategoryRequest};
use souk_rpc::{CallContext, Failure, Guarded, Identity, ServerListener, Stack, Transport, serve};
use souk_values::{Clock, SessionId, UserId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::shop::{METHODS, Shop};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Local,
    Tcp,
    /// The operator's.
    Unix,
}
pub(crate) const WAYS: [Way; 3] = [Way::Local, Way::Tcp, Way::Unix];

/// `front`, whose `hop` leads to `catalog`, both in one process with two listeners.
pub(crate) struct House {
    pub(crate) front: Guarded,
    pub(crate) catalog: Guarded,
    pub(crate) shop: Shop,
    pub(crate) stack: Stack,
    pub(crate) address: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) stop: CancellationToken,
    pub(crate) servers: Vec<JoinHandle<()>>,
    key: Arc<SigningKey>,
    _dir: tempfile::TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(0, Duration::from_secs(10)).await
    }

    pub(crate) async fn with(concurrency: usize, drain: Duration) -> Self {
        let key = Arc::new(SigningKey::from_seed(&[1; 32]));
        let served = serde_json::to_string(&key.jwks()).unwrap();
        let source = Arc::new(move || {
            let served = served.clone();
            Box::pin(async move { Ok(served) }) as BoxFuture<'static, anyhow::Result<String>>
        });
        let stack = Stack {
            name: "catalog",
            methods: METHODS,
            verifier: Arc::new(Verifier::new(source, Clock::system())),
            tokens: Arc::new(ServiceTokens::new(b"the secret of the tests", Clock::system())),
            concurrency,
            refusals: None,
        };
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("souk.sock");
        let tcp = ServerListener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let unix = ServerListener::unix(&socket).await.unwrap();

        let shop = Shop::default();
        let catalog = stack.guard(routes(shop.clone()));
        // front reaches its neighbor over TCP, so that both hops of a local call differ
        let identity = Identity { name: "front".into(), tokens: stack.tokens.clone() };
        let next = Transport::remote("catalog", &format!("http://{address}"), identity).unwrap();
        let front = Stack { name: "front", ..stack.clone() };
        let front = front.guard(routes(Shop { next: Some(next), ..shop.clone() }));

        let stop = CancellationToken::new();
        let services = HashMap::from([("catalog", catalog.clone()), ("front", front.clone())]);
        let servers = [tcp, unix]
            .map(|listener| tokio::spawn(serve(listener, services.clone(), stop.clone(), drain)));
        let servers = servers.into();
        Self { front, catalog, shop, stack, address, socket, stop, servers, key, _dir: dir }
    }

    pub(crate) fn url(&self, way: Way) -> String {
        match way {
            Way::Unix => format!("unix://{}", self.socket.display()),
            _ => format!("http://{}", self.address),
        }
    }

    /// To `to`, as the gateway.
    pub(crate) fn transport(&self, way: Way, to: &str) -> Transport {
        let from = Identity { name: "gateway".into(), tokens: self.stack.tokens.clone() };
        let service = if to == "front" { &self.front } else { &self.catalog };
        match way {
            Way::Local => Transport::local(to, service.clone(), from),
            _ => Transport::remote(to, &self.url(way), from).unwrap(),
        }
    }

    pub(crate) fn categories(&self, way: Way) -> CategoryServiceClient<Transport> {
        CategoryServiceClient::new(self.transport(way, "catalog"))
    }

    pub(crate) fn transfers(&self, way: Way) -> TransferServiceClient<Transport> {
        TransferServiceClient::new(self.transport(way, "catalog"))
    }

    /// A fresh user's token.
    pub(crate) fn token(&self, permissions: &[Permission]) -> (UserId, String) {
        self.token_for("souk", permissions)
    }

    /// The same for another audience.
    pub(crate) fn token_for(&self, aud: &str, permissions: &[Permission]) -> (UserId, String) {
        let (user, now) = (UserId::new(), Clock::system().now().timestamp());
        let claims = AccessClaims {
            iss: "souk".into(),
            aud: aud.into(),
            sub: user.to_string(),
            sid: SessionId::new().to_string(),
            role: "some".into(),
            perms: permissions.iter().map(Permission::to_string).collect(),
            iat: now,
            nbf: now,
            exp: now + 600,
            jti: "1".into(),
            fresh: now + 600,
            enrol: false,
            key: false,
        };
        (user, self.key.sign(&claims))
    }
}

fn routes(shop: Shop) -> Routes {
    Routes::new(CategoryServiceServer::new(shop.clone()))
        .add_service(TransferServiceServer::new(shop))
}

pub(crate) fn ask(path: &str) -> CreateCategoryRequest {
    CreateCategoryRequest { path: path.to_owned(), name: String::new() }
}

pub(crate) fn context(token: Option<&str>, request_id: &str) -> CallContext {
    CallContext {
        token: token.map(Into::into),
        request_id: Some(request_id.into()),
        ..CallContext::default()
    }
}

/// What the handler knew.
pub(crate) fn known(answer: Result<tonic::Response<Category>, tonic::Status>) -> serde_json::Value {
    serde_json::from_str(&answer.unwrap().into_inner().name).unwrap()
}

pub(crate) fn failure<T: std::fmt::Debug>(
    answer: Result<tonic::Response<T>, tonic::Status>,
) -> Failure {
    answer.unwrap_err().into()
}

/// Waits until `done`; three minutes are for loaded machines, not for the code.
pub(crate) async fn until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(180), "waited in vain");
        tokio::task::yield_now().await;
    }
}
