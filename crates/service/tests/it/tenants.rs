//! Tiny services: a desk that keeps a database and answers gRPC, a door that answers HTTP and asks
//! the desk. Both write what happens to them into a diary in the data directory.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;

use serde::Deserialize;
use souk_auth::{MethodTable, Rule};
use souk_events::{NewEvent, registry};
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::session_service_server::{SessionService, SessionServiceServer};
use souk_proto::accounts::v1::{
    GetKeysRequest, GetKeysResponse, LoginRequest, LogoutRequest, LogoutResponse,
    RefreshSessionRequest, SessionTokens,
};
use souk_proto::events::v1::UserChanged;
use souk_rpc::Failure;
use souk_service::{
    Blueprint, Frame, House, HttpBounds, Lent, Listener, Loaded, Parts, Schedule, Service,
    Settings, SettingsError, Sources, Validate, blueprint, serve_http,
};
use souk_storage::Migrations;
use souk_values::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Status;
use tower::service_fn;

/// A data directory, and what happens in it.
pub(crate) struct Stage {
    dir: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn load(&self, more: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
        let mut flags = vec![("data_dir".to_owned(), format!("{:?}", self.data_dir()))];
        flags.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        Sources { flags, ..Sources::default() }.load()
    }

    pub(crate) async fn start(
        &self,
        services: &[Blueprint],
        more: &[(&str, &str)],
    ) -> anyhow::Result<House> {
        House::start(&self.load(more)?, services, Clock::system()).await
    }

    pub(crate) fn diary(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.data_dir().join("diary")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) async fn until(&self, line: &str) {
        let written = || std::future::ready(self.diary().iter().any(|l| l == line));
        eventually(line, written).await;
    }

    /// Lets a slow request go on.
    pub(crate) fn release(&self) {
        std::fs::write(self.data_dir().join("release"), "").unwrap();
    }
}

/// Waits until `holds`; three minutes are for loaded machines, not for the code.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..18_000 {
        ticks.tick().await;
        if holds().await {
            return;
        }
    }
    panic!("never happened: {what}");
}

fn note(data_dir: &Path, line: &str) {
    let path = data_dir.join("diary");
    let mut diary = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    diary.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The whole answer to a GET over a connection of its own; an error when nobody answers.
pub(crate) async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoSettings {}

impl Validate for NoSettings {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        Ok(())
    }
}

pub(crate) fn desk() -> Blueprint {
    blueprint::<Desk>()
}

struct Desk;

const METHODS: MethodTable = &[
    ("/souk.accounts.v1.SessionService/GetKeys", Rule::AnyService),
    ("/souk.accounts.v1.SessionService/Logout", Rule::Service(&["notifier"])),
];

impl Service for Desk {
    const NAME: &'static str = "accounts";
    const ASKS: &'static [&'static str] = &[];
    type Config = NoSettings;

    fn migrations() -> Migrations {
        Vec::new
    }

    fn build(frame: Frame, _config: NoSettings) -> BoxFuture<'static, anyhow::Result<Parts>> {
        async move {
            let dir = frame.settings().data_dir.clone();
            let methods = METHODS;
            let grpc = Some(tonic::service::Routes::new(SessionServiceServer::new(Clerk)));
            let task_dir = dir.clone();
            let last_words: souk_service::Task = Box::new(move |stop| {
                async move {
                    stop.cancelled().await;
                    // told at the very end of the work: only the relay can still send it
                    let tx = frame.db().unwrap().begin().await.unwrap();
                    let message = UserChanged::default();
                    let (subject, key) = ("user/1".to_owned(), "1".to_owned());
                    let event = NewEvent::new(registry::USER_CHANGED, subject, key, 1, &message);
                    frame.outbox().append(&tx, vec![event]).await.unwrap();
                    tx.commit().await.unwrap();
                    note(&task_dir, "work ended");
                }
                .boxed()
            });
            let tick: Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync> =
                Arc::new(move || {
                    note(&dir, "tick");
                    async { anyhow::bail!("a failure does not end the clockwork") }.boxed()
                });
            let schedules =
                vec![Schedule { name: "tick", every: Duration::from_millis(20), run: tick }];
            let tasks = vec![("last words", last_words)];
            Ok(Parts { grpc, methods, schedules, tasks, ..Parts::default() })
        }
        .boxed()
    }
}

struct Clerk;

#[tonic::async_trait]
impl SessionService for Clerk {
    async fn get_keys(
        &self,
        _request: tonic::Request<GetKeysRequest>,
    ) -> Result<tonic::Response<GetKeysResponse>, Status> {
        let jwks_json = "{\"keys\":[]}".to_owned();
        Ok(tonic::Response::new(GetKeysResponse { jwks_json }))
    }

    async fn logout(
        &self,
        _request: tonic::Request<LogoutRequest>,
    ) -> Result<tonic::Response<LogoutResponse>, Status> {
        Ok(tonic::Response::new(LogoutResponse::default()))
    }

    async fn resume_session(
        &self,
        _request: tonic::Request<souk_proto::accounts::v1::ResumeSessionRequest>,
    ) -> Result<tonic::Response<SessionTokens>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }

    async fn list_ended_sessions(
        &self,
        _request: tonic::Request<souk_proto::accounts::v1::ListEndedSessionsRequest>,
    ) -> Result<tonic::Response<souk_proto::accounts::v1::ListEndedSessionsResponse>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }

    async fn login(
        &self,
        _request: tonic::Request<LoginRequest>,
    ) -> Result<tonic::Response<SessionTokens>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }

    async fn refresh_session(
        &self,
        _request: tonic::Request<RefreshSessionRequest>,
    ) -> Result<tonic::Response<SessionTokens>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }
}

pub(crate) fn door() -> Blueprint {
    blueprint::<Door>()
}

struct Door;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Doors {
    listen: SocketAddr,
    side_listen: SocketAddr,
}

impl Default for Doors {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen: any, side_listen: any }
    }
}

impl Validate for Doors {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        if self.listen.ip().is_loopback() {
            Ok(())
        } else {
            Err(format!("gateway.listen: {} is not an address of this machine", self.listen))
        }
    }
}

impl Service for Door {
    const NAME: &'static str = "gateway";
    const ASKS: &'static [&'static str] = &["accounts"];
    const KEEPS: bool = false;
    type Config = Doors;

    fn migrations() -> Migrations {
        Vec::new
    }

    fn build(frame: Frame, doors: Doors) -> BoxFuture<'static, anyhow::Result<Parts>> {
        async move {
            frame.transport("accounts")?;
            anyhow::ensure!(frame.transport("catalog").is_err() && frame.db().is_err());
            note(&frame.settings().data_dir, "door built");
            let listeners = [("site", doors.listen), ("side", doors.side_listen)]
                .map(|(name, address)| listener(name, address, frame.clone()));
            Ok(Parts { listeners: listeners.into(), ..Parts::default() })
        }
        .boxed()
    }
}

fn listener(name: &'static str, address: SocketAddr, frame: Frame) -> Listener {
    let serve: souk_service::Serve = Box::new(move |socket, stop| {
        async move {
            let dir = frame.settings().data_dir.clone();
            let answer = move |_peer: SocketAddr| {
                let frame = frame.clone();
                Some(service_fn(move |request: Request<Lent>| answer(frame.clone(), request)))
            };
            serve_http(socket, HttpBounds::default(), answer, stop).await;
            note(&dir, &format!("{name} closed"));
        }
        .boxed()
    });
    Listener { name, address, serve }
}

async fn answer(frame: Frame, request: Request<Lent>) -> Result<Response<Full<Bytes>>, Infallible> {
    let dir = frame.settings().data_dir.clone();
    let text = match request.uri().path() {
        "/ready" => {
            let parts = frame.readiness().parts().await;
            let down: Vec<String> =
                parts.into_iter().filter(|part| !part.works).map(|part| part.name).collect();
            format!("down: [{}]", down.join(" "))
        }
        "/keys" => {
            let mut client = SessionServiceClient::new(frame.transport("accounts").unwrap());
            match client.get_keys(GetKeysRequest {}).await.map_err(Failure::from) {
                Ok(keys) => keys.into_inner().jwks_json,
                Err(failure) => failure.reason,
            }
        }
        "/slow" => {
            note(&dir, "slow arrived");
            let released = || std::future::ready(dir.join("release").exists());
            eventually("released", released).await;
            note(&dir, "slow answered");
            "slow but complete".to_owned()
        }
        _ => "hello".to_owned(),
    };
    Ok(Response::new(Full::new(Bytes::from(text))))
}
