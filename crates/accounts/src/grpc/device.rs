//! `DeviceService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::device_service_server::DeviceService;
use souk_rpc::caller;
use souk_values::SessionId;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::device as app;
use crate::store::session::Model;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl DeviceService for Door {
    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Answer<pb::ListSessionsResponse> {
        let (found, current) = app::list(&self.app, &caller(&request)).await.map_err(status)?;
        let items = found.into_iter().map(|session| to_proto(session, current));
        Ok(Response::new(pb::ListSessionsResponse { items: items.collect() }))
    }

    async fn rename_session(
        &self,
        request: Request<pb::RenameSessionRequest>,
    ) -> Answer<pb::Session> {
        let caller = caller(&request);
        let pb::RenameSessionRequest { id, device } = request.into_inner();
        let id = session_id(&id).map_err(status)?;
        let renamed = app::rename(&self.app, &caller, id, &device).await.map_err(status)?;
        Ok(Response::new(to_proto(renamed.0, renamed.1)))
    }

    async fn end_session(&self, request: Request<pb::EndSessionRequest>) -> Answer<pb::Session> {
        let caller = caller(&request);
        let id = session_id(&request.into_inner().id).map_err(status)?;
        let ended = app::end(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(ended.0, ended.1)))
    }

    async fn end_all_sessions(
        &self,
        request: Request<pb::EndAllSessionsRequest>,
    ) -> Answer<pb::EndAllSessionsResponse> {
        let caller = caller(&request);
        let keep = request.into_inner().keep_current;
        let ended = app::end_every(&self.app, &caller, keep).await.map_err(status)?;
        let ended = u32::try_from(ended).unwrap_or(u32::MAX);
        Ok(Response::new(pb::EndAllSessionsResponse { ended }))
    }
}

/// What is no id names no session.
fn session_id(text: &str) -> Result<SessionId, Error> {
    text.parse().map_err(|_| Error::SessionNotFound)
}

fn to_proto(session: Model, current: SessionId) -> pb::Session {
    pb::Session {
        id: session.id.to_string(),
        current: session.id == current,
        device: session.device,
        network: session.network,
        created_at_us: session.created_at.timestamp_micros(),
        last_used_at_us: session.last_used_at.timestamp_micros(),
        expires_at_us: session.expires_at.timestamp_micros(),
        remember: session.remember,
    }
}
