//! Accounts, as far as others need it to know who calls.
use futures::future::BoxFuture;
use serde::Deserialize;
use souk_auth::{MethodTable, Rule, SigningKey};
use souk_proto::accounts::v1::session_service_server::{SessionService, SessionServiceServer};
use souk_proto::accounts::v1::{
    GetKeysRequest, GetKeysResponse, LoginRequest, LogoutRequest, LogoutResponse,
    RefreshSessionRequest, SessionTokens,
};
use souk_service::{Frame, Parts, Service, Settings, Validate};
use souk_storage::Migrations;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

pub(super) struct Keys;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoSettings {}

impl Validate for NoSettings {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        Ok(())
    }
}

const METHODS: MethodTable = &[("/souk.accounts.v1.SessionService/GetKeys", Rule::AnyService)];

impl Service for Keys {
    const NAME: &'static str = "accounts";
    const ASKS: &'static [&'static str] = &[];
    const KEEPS: bool = false;
    type Config = NoSettings;

    fn migrations() -> Migrations {
        Vec::new
    }

    fn build(_frame: Frame, _config: NoSettings) -> BoxFuture<'static, anyhow::Result<Parts>> {
        let grpc = Some(Routes::new(SessionServiceServer::new(Desk)));
        Box::pin(async move { Ok(Parts { grpc, methods: METHODS, ..Parts::default() }) })
    }
}

struct Desk;

#[tonic::async_trait]
impl SessionService for Desk {
    async fn get_keys(
        &self,
        _request: Request<GetKeysRequest>,
    ) -> Result<Response<GetKeysResponse>, Status> {
        let jwks_json = serde_json::to_string(&key().jwks()).unwrap();
        Ok(Response::new(GetKeysResponse { jwks_json }))
    }

    async fn login(
        &self,
        _request: Request<LoginRequest>,
    ) -> Result<Response<SessionTokens>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }

    async fn refresh_session(
        &self,
        _request: Request<RefreshSessionRequest>,
    ) -> Result<Response<SessionTokens>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }

    async fn logout(
        &self,
        _request: Request<LogoutRequest>,
    ) -> Result<Response<LogoutResponse>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }
}
