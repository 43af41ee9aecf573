//! `CredentialService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::credential_service_server::CredentialService;
use souk_rpc::caller;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::app::credential as app;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CredentialService for Door {
    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Answer<pb::User> {
        let caller = caller(&request);
        let pb::ChangePasswordRequest { current_password, new_password } = request.into_inner();
        self.user(app::change(&self.app, &caller, &current_password, &new_password).await).await
    }

    async fn forgot_password(
        &self,
        request: Request<pb::ForgotPasswordRequest>,
    ) -> Answer<pb::ForgotPasswordResponse> {
        let pb::ForgotPasswordRequest { login, also_login } = request.into_inner();
        app::forgot(&self.app, &login, &also_login).await.map_err(status)?;
        Ok(Response::new(pb::ForgotPasswordResponse {}))
    }

    async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Answer<pb::ResetPasswordResponse> {
        let pb::ResetPasswordRequest { token, new_password } = request.into_inner();
        app::reset(&self.app, &token, &new_password).await.map_err(status)?;
        Ok(Response::new(pb::ResetPasswordResponse {}))
    }

    async fn request_email_change(
        &self,
        request: Request<pb::RequestEmailChangeRequest>,
    ) -> Answer<pb::PendingEmailChange> {
        let caller = caller(&request);
        let pb::RequestEmailChangeRequest { new_email, current_password } = request.into_inner();
        let asked = app::request_email(&self.app, &caller, &new_email, &current_password).await;
        let expires_at_us = asked.map_err(status)?.timestamp_micros();
        Ok(Response::new(pb::PendingEmailChange { expires_at_us }))
    }

    async fn confirm_email_change(
        &self,
        request: Request<pb::ConfirmEmailChangeRequest>,
    ) -> Answer<pb::User> {
        let caller = caller(&request);
        let code = request.into_inner().code;
        self.user(app::confirm_email(&self.app, &caller, &code).await).await
    }
}
