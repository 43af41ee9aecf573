//! `ApiKeyService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::api_key_service_server::ApiKeyService;
use souk_rpc::caller;
use souk_values::ApiKeyId;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::api_key as app;
use crate::store::api_key::Model;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ApiKeyService for Door {
    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Answer<pb::ApiKeyCreated> {
        let caller = caller(&request);
        let pb::CreateApiKeyRequest { name, scopes, days } = request.into_inner();
        let made = app::create(&self.app, &caller, &name, &scopes, days).await.map_err(status)?;
        Ok(Response::new(pb::ApiKeyCreated {
            api_key: Some(to_proto(made.api_key)),
            key: made.key,
        }))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Answer<pb::ListApiKeysResponse> {
        let caller = caller(&request);
        let of = match request.into_inner().user_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| Error::UserNotFound).map_err(status)?),
        };
        let found = app::list(&self.app, &caller, of).await.map_err(status)?;
        let items = found.into_iter().map(to_proto).collect();
        Ok(Response::new(pb::ListApiKeysResponse { items }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Answer<pb::ApiKey> {
        let caller = caller(&request);
        let id = api_key_id(&request.into_inner().id).map_err(status)?;
        let revoked = app::revoke(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(revoked)))
    }

    async fn exchange_api_key(
        &self,
        request: Request<pb::ExchangeApiKeyRequest>,
    ) -> Answer<pb::ApiKeyToken> {
        let exchanged = app::exchange(&self.app, &request.into_inner().key).await;
        let app::Exchanged { access_token, expires_in_s } = exchanged.map_err(status)?;
        Ok(Response::new(pb::ApiKeyToken { access_token, expires_in_s }))
    }
}

/// What is no id names nothing.
fn api_key_id(text: &str) -> Result<ApiKeyId, Error> {
    text.parse().map_err(|_| Error::ApiKeyNotFound)
}

fn to_proto(key: Model) -> pb::ApiKey {
    let scopes = key.scopes().into_iter().map(|scope| scope.to_string()).collect();
    pb::ApiKey {
        id: key.id.to_string(),
        name: key.name,
        prefix: key.prefix,
        scopes,
        created_at_us: key.created_at.timestamp_micros(),
        expires_at_us: key.expires_at.timestamp_micros(),
        last_used_at_us: key.last_used_at.map_or(0, |at| at.timestamp_micros()),
        revoked_at_us: key.revoked_at.map_or(0, |at| at.timestamp_micros()),
        user_id: key.account_id.to_string(),
    }
}
