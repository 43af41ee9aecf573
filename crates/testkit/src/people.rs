//! Who calls: an accounts that only gives its public keys, and access tokens signed by them.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde::Deserialize;
use souk_auth::{AccessClaims, MethodTable, Rule, SigningKey};
use souk_proto::accounts::v1::session_service_server::{SessionService, SessionServiceServer};
use souk_proto::accounts::v1::{
    GetKeysRequest, GetKeysResponse, ListEndedSessionsRequest, ListEndedSessionsResponse,
    LoginRequest, LogoutRequest, LogoutResponse, RefreshSessionRequest, ResumeSessionRequest,
    SessionTokens,
};
use souk_service::{Frame, Parts, Service, Settings, Validate};
use souk_storage::Migrations;
use souk_values::{Clock, SessionId, UserId};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// The public keys of [`Keys`], as accounts would answer them.
pub fn jwks() -> String {
    serde_json::to_string(&key().jwks()).expect("keys")
}

/// The access token of somebody with these permissions, good for ten minutes, and their id.
pub fn token(clock: &Clock, permissions: &[&str]) -> (String, String) {
    let user = UserId::new().to_string();
    (token_of(&user, clock, permissions), user)
}

/// The same for somebody whose id is known.
pub fn token_of(user: &str, clock: &Clock, permissions: &[&str]) -> String {
    signed(user, clock, permissions, 600)
}

/// The same for somebody whose second factor was given too long ago.
pub fn stale_token_of(user: &str, clock: &Clock, permissions: &[&str]) -> String {
    signed(user, clock, permissions, 0)
}

/// `fresh_s`: for so long a second factor counts as just given.
fn signed(user: &str, clock: &Clock, permissions: &[&str], fresh_s: i64) -> String {
    let now = clock.now().timestamp();
    let permissions: BTreeSet<String> = permissions.iter().map(|p| (*p).to_owned()).collect();
    let claims = AccessClaims {
        iss: AccessClaims::SOUK.to_owned(),
        aud: AccessClaims::SOUK.to_owned(),
        sub: user.to_owned(),
        sid: SessionId::new().to_string(),
        role: "some".to_owned(),
        perms: permissions.into_iter().collect(),
        iat: now,
        nbf: now,
        exp: now + 600,
        jti: "1".to_owned(),
        fresh: now + fresh_s,
        enrol: false,
        key: false,
    };
    key().sign(&claims)
}

/// Accounts, as far as other services need it to know who calls.
pub struct Keys;

/// It has none.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

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
        Ok(Response::new(GetKeysResponse { jwks_json: jwks() }))
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

    async fn resume_session(
        &self,
        _request: Request<ResumeSessionRequest>,
    ) -> Result<Response<SessionTokens>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }

    async fn list_ended_sessions(
        &self,
        _request: Request<ListEndedSessionsRequest>,
    ) -> Result<Response<ListEndedSessionsResponse>, Status> {
        Err(Status::unimplemented("nobody logs in here"))
    }
}
