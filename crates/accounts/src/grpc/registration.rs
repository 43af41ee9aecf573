//! `RegistrationService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::registration_service_server::RegistrationService;
use tonic::{Request, Response, Status};

use super::account::from_proto;
use super::{Door, status};
use crate::app::registration::{Pending, Registered, check, confirm, read_id, register, resend};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RegistrationService for Door {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Answer<pb::RegisterResponse> {
        let pb::RegisterRequest { fields, address, check_only } = request.into_inner();
        let fields = from_proto(fields);
        if check_only {
            check(&self.app, &fields).await.map_err(status)?;
            return Ok(Response::new(pb::RegisterResponse::default()));
        }
        let made = register(&self.app, &fields, &address).await.map_err(status)?;
        let (pending, user) = match made {
            Registered::Pending(pending) => (Some(to_proto(pending)), None),
            Registered::Account(account) => (None, Some(self.user(Ok(*account)).await?)),
        };
        let user = user.map(Response::into_inner);
        Ok(Response::new(pb::RegisterResponse { pending, user }))
    }

    async fn confirm_registration(
        &self,
        request: Request<pb::ConfirmRegistrationRequest>,
    ) -> Answer<pb::User> {
        let pb::ConfirmRegistrationRequest { registration_id, code } = request.into_inner();
        let id = read_id(&registration_id).map_err(status)?;
        self.user(confirm(&self.app, id, &code).await).await
    }

    async fn resend_registration_code(
        &self,
        request: Request<pb::ResendRegistrationCodeRequest>,
    ) -> Answer<pb::PendingRegistration> {
        let id = read_id(&request.into_inner().registration_id).map_err(status)?;
        let pending = resend(&self.app, id).await.map_err(status)?;
        Ok(Response::new(to_proto(pending)))
    }
}

fn to_proto(pending: Pending) -> pb::PendingRegistration {
    pb::PendingRegistration {
        registration_id: pending.id.to_string(),
        expires_at_us: pending.expires_at.timestamp_micros(),
    }
}
