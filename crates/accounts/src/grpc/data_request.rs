//! `DataRequestService` on the wire.

use std::pin::Pin;

use futures::Stream;
use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::data_request_service_server::DataRequestService;
use souk_rpc::caller;
use souk_values::UserId;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::app::data_request::{Seen, erasure, export, get};
use crate::domain::data_request::Kind;
use crate::{App, Error};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl DataRequestService for Door {
    async fn start_export(
        &self,
        request: Request<pb::StartExportRequest>,
    ) -> Answer<pb::DataExport> {
        let caller = caller(&request);
        let of = user_id(&request.into_inner().user_id).map_err(status)?;
        let seen = export::start(&self.app, &caller, of).await.map_err(status)?;
        Ok(Response::new(export_to_proto(&self.app, &seen)))
    }

    async fn get_export(&self, request: Request<pb::GetExportRequest>) -> Answer<pb::DataExport> {
        let caller = caller(&request);
        let of = user_id(&request.into_inner().user_id).map_err(status)?;
        let seen = get(&self.app, &caller, of, Kind::Export).await.map_err(status)?;
        Ok(Response::new(export_to_proto(&self.app, &seen)))
    }

    type DownloadExportStream = Pin<Box<dyn Stream<Item = Result<pb::ExportChunk, Status>> + Send>>;

    async fn download_export(
        &self,
        request: Request<pb::DownloadExportRequest>,
    ) -> Answer<Self::DownloadExportStream> {
        let reader = export::open(&self.app, &caller(&request)).await.map_err(status)?;
        let app = self.app.clone();
        let parts = futures::stream::try_unfold(reader, move |mut reader| {
            let app = app.clone();
            async move {
                let part = reader.next(&app).await.map_err(status)?;
                Ok::<_, Status>(part.map(|content| (pb::ExportChunk { content }, reader)))
            }
        });
        Ok(Response::new(Box::pin(parts)))
    }

    async fn start_erasure(
        &self,
        request: Request<pb::StartErasureRequest>,
    ) -> Answer<pb::Erasure> {
        let caller = caller(&request);
        let pb::StartErasureRequest { user_id: id, current_password } = request.into_inner();
        let of = user_id(&id).map_err(status)?;
        let started = erasure::start(&self.app, &caller, of, &current_password).await;
        Ok(Response::new(erasure_to_proto(&started.map_err(status)?)))
    }

    async fn get_erasure(&self, request: Request<pb::GetErasureRequest>) -> Answer<pb::Erasure> {
        let caller = caller(&request);
        let of = user_id(&request.into_inner().user_id).map_err(status)?;
        let seen = get(&self.app, &caller, of, Kind::Erasure).await.map_err(status)?;
        Ok(Response::new(erasure_to_proto(&seen)))
    }

    async fn cancel_erasure(
        &self,
        request: Request<pb::CancelErasureRequest>,
    ) -> Answer<pb::Erasure> {
        let caller = caller(&request);
        let of = user_id(&request.into_inner().user_id).map_err(status)?;
        let seen = erasure::cancel(&self.app, &caller, of).await.map_err(status)?;
        Ok(Response::new(erasure_to_proto(&seen)))
    }
}

/// Empty: oneself. What is no id names nobody.
fn user_id(text: &str) -> Result<Option<UserId>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Error::UserNotFound)
}

fn export_to_proto(app: &App, seen: &Seen) -> pb::DataExport {
    let request = &seen.request;
    let us = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or(0, |at| at.timestamp_micros());
    let (done, total) = progress(seen);
    pb::DataExport {
        job_id: request.job_id.to_string(),
        user_id: request.account_id.to_string(),
        status: seen.export_status(app.now()).to_owned(),
        done,
        total,
        requested_at_us: request.created_at.timestamp_micros(),
        ready_at_us: us(request.ready_at),
        expires_at_us: us(request.expires_at),
        bytes: request.bytes.unsigned_abs(),
        requested_by: request.created_by.clone(),
    }
}

fn erasure_to_proto(seen: &Seen) -> pb::Erasure {
    let request = &seen.request;
    let (word, reason) = seen.erasure_status();
    let (done, total) = progress(seen);
    let run_at = seen.job.as_ref().map_or(request.created_at, |job| job.run_at);
    pb::Erasure {
        job_id: request.job_id.to_string(),
        user_id: request.account_id.to_string(),
        status: word.to_owned(),
        reason: reason.to_owned(),
        requested_at_us: request.created_at.timestamp_micros(),
        run_at_us: run_at.timestamp_micros(),
        done,
        total,
        requested_by: request.created_by.clone(),
    }
}

fn progress(seen: &Seen) -> (u32, u32) {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    seen.job.as_ref().map_or((0, 0), |job| (number(job.done), number(job.total)))
}
