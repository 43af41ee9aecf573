//! `GroupActionService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::group_action_service_server::GroupActionService;
use souk_rpc::caller;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::app::group_action::{Wish, start};

#[tonic::async_trait]
impl GroupActionService for Door {
    async fn start_group_action(
        &self,
        request: Request<pb::StartGroupActionRequest>,
    ) -> Result<Response<pb::StartGroupActionResponse>, Status> {
        let caller = caller(&request);
        let pb::StartGroupActionRequest { action, user_ids, delay_s } = request.into_inner();
        let wish = Wish { action, user_ids, delay_s };
        let (job, run_at) = start(&self.app, &caller, wish).await.map_err(status)?;
        Ok(Response::new(pb::StartGroupActionResponse {
            job_id: job.to_string(),
            run_at_us: run_at.timestamp_micros(),
        }))
    }
}
