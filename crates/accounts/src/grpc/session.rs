//! `SessionService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::session_service_server::SessionService;
use souk_rpc::Failure;
use souk_values::Page;
use tonic::{Request, Response, Status};

use super::account::to_proto as user_to_proto;
use super::{Door, status};
use crate::app::ended_session::list;
use crate::app::login::{Attempt, login};
use crate::app::logout::logout;
use crate::app::tokens::{Issued, refresh, resume};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SessionService for Door {
    async fn login(&self, request: Request<pb::LoginRequest>) -> Answer<pb::SessionTokens> {
        let attempt = from_proto(request.into_inner());
        let issued = login(&self.app, attempt).await.map_err(status)?;
        Ok(Response::new(to_proto(issued)))
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Answer<pb::SessionTokens> {
        let token = request.into_inner().refresh_token;
        let issued = refresh(&self.app, &token).await.map_err(status)?;
        Ok(Response::new(to_proto(issued)))
    }

    async fn logout(&self, request: Request<pb::LogoutRequest>) -> Answer<pb::LogoutResponse> {
        let pb::LogoutRequest { refresh_token, session_secret } = request.into_inner();
        logout(&self.app, &refresh_token, &session_secret).await.map_err(status)?;
        Ok(Response::new(pb::LogoutResponse {}))
    }

    async fn resume_session(
        &self,
        request: Request<pb::ResumeSessionRequest>,
    ) -> Answer<pb::SessionTokens> {
        let pb::ResumeSessionRequest { session_secret, address } = request.into_inner();
        let issued = resume(&self.app, &session_secret, &address).await.map_err(status)?;
        Ok(Response::new(to_proto(issued)))
    }

    async fn list_ended_sessions(
        &self,
        request: Request<pb::ListEndedSessionsRequest>,
    ) -> Answer<pb::ListEndedSessionsResponse> {
        let page = Page::new(0, &request.into_inner().cursor);
        let cursor = page.ok().and_then(|page| page.cursor);
        let part = list(&self.app, cursor.as_ref()).await.map_err(status)?;
        Ok(Response::new(pb::ListEndedSessionsResponse {
            session_ids: part.ids.iter().map(ToString::to_string).collect(),
            next_cursor: part.next.as_str().to_owned(),
            more: part.more,
        }))
    }

    async fn get_keys(&self, _request: Request<pb::GetKeysRequest>) -> Answer<pb::GetKeysResponse> {
        let jwks = serde_json::to_string(&self.app.jwks());
        let jwks_json = jwks.map_err(|error| Failure::internal(&error))?;
        Ok(Response::new(pb::GetKeysResponse { jwks_json }))
    }
}

fn from_proto(request: pb::LoginRequest) -> Attempt {
    Attempt {
        login: request.login,
        password: request.password,
        address: request.address,
        also_login: request.also_login,
        remember: request.remember,
        device: request.device,
        second_factor_code: request.second_factor_code,
        device_token: request.device_token,
        cookie: request.cookie,
    }
}

pub(super) fn to_proto(issued: Issued) -> pb::SessionTokens {
    let user = user_to_proto(&issued.account, issued.permissions);
    pb::SessionTokens {
        access_token: issued.access_token,
        refresh_token: issued.refresh_token,
        expires_in_s: issued.expires_in_s,
        user: Some(user),
        session_id: issued.session.to_string(),
        device_token: issued.device_token,
        session_secret: issued.session_secret,
        enrolment_required: issued.enrolment_required,
        session_expires_at_us: issued.session_expires_at.timestamp_micros(),
        remember: issued.remember,
        device_token_expires_in_s: issued.device_expires_in_s,
    }
}
