//! `SecondFactorService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::second_factor_service_server::SecondFactorService;
use souk_rpc::caller;
use tonic::{Request, Response, Status};

use super::session::to_proto as tokens_to_proto;
use super::{Door, status};
use crate::Error;
use crate::app::second_factor as app;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SecondFactorService for Door {
    async fn get_second_factor(
        &self,
        request: Request<pb::GetSecondFactorRequest>,
    ) -> Answer<pb::SecondFactor> {
        let found = app::status(&self.app, &caller(&request)).await.map_err(status)?;
        Ok(Response::new(to_proto(&found)))
    }

    async fn begin_second_factor(
        &self,
        request: Request<pb::BeginSecondFactorRequest>,
    ) -> Answer<pb::SecondFactorSecret> {
        let caller = caller(&request);
        let password = request.into_inner().current_password;
        let begun = app::begin(&self.app, &caller, &password).await.map_err(status)?;
        Ok(Response::new(pb::SecondFactorSecret {
            secret_base32: begun.secret_base32,
            otpauth_uri: begun.otpauth_uri,
        }))
    }

    async fn confirm_second_factor(
        &self,
        request: Request<pb::ConfirmSecondFactorRequest>,
    ) -> Answer<pb::SecondFactorConfirmed> {
        let caller = caller(&request);
        let code = request.into_inner().code;
        let confirmed = app::confirm(&self.app, &caller, &code).await.map_err(status)?;
        Ok(Response::new(pb::SecondFactorConfirmed {
            recovery_codes: confirmed.recovery_codes,
            tokens: Some(tokens_to_proto(confirmed.issued)),
        }))
    }

    async fn verify_second_factor(
        &self,
        request: Request<pb::VerifySecondFactorRequest>,
    ) -> Answer<pb::SessionTokens> {
        let caller = caller(&request);
        let code = request.into_inner().code;
        let issued = app::verify(&self.app, &caller, &code).await.map_err(status)?;
        Ok(Response::new(tokens_to_proto(issued)))
    }

    async fn replace_recovery_codes(
        &self,
        request: Request<pb::ReplaceRecoveryCodesRequest>,
    ) -> Answer<pb::RecoveryCodes> {
        let codes = app::replace_recovery_codes(&self.app, &caller(&request)).await;
        Ok(Response::new(pb::RecoveryCodes { codes: codes.map_err(status)? }))
    }

    async fn remove_second_factor(
        &self,
        request: Request<pb::RemoveSecondFactorRequest>,
    ) -> Answer<pb::SecondFactor> {
        let caller = caller(&request);
        let pb::RemoveSecondFactorRequest { current_password, code } = request.into_inner();
        let left = app::remove(&self.app, &caller, &current_password, &code).await;
        Ok(Response::new(to_proto(&left.map_err(status)?)))
    }

    async fn reset_second_factor(
        &self,
        request: Request<pb::ResetSecondFactorRequest>,
    ) -> Answer<pb::SecondFactor> {
        let caller = caller(&request);
        let id = request.into_inner().user_id.parse();
        let id = id.map_err(|_| Error::UserNotFound).map_err(status)?;
        let left = app::reset(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(&left)))
    }
}

fn to_proto(found: &app::Status) -> pb::SecondFactor {
    pb::SecondFactor {
        enrolled: found.enrolled,
        required: found.required,
        recovery_codes_left: u32::try_from(found.recovery_codes_left).unwrap_or_default(),
        fresh_until_us: found.fresh_until.saturating_mul(1_000_000),
    }
}
