//! Long work of all services: imports and whatever else runs for a while.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use futures::future::join_all;
use serde::Serialize;
use souk_proto::operations::v1::{
    CancelJobRequest, GetJobRequest, Job, ListJobResultsRequest, ListJobsRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::Kind;
use utoipa::ToSchema;

use super::{Answer, maybe, maybe_time, time};
use crate::http::Site;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{JobsReader, OperationsReader};

/// A piece of long work.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobView {
    id: String,
    service: String,
    kind: String,
    /// `waiting`, `running`, `succeeded`, `failed` or `cancelled`.
    status: String,
    done: u64,
    /// `null` while it is not known.
    total: Option<u64>,
    message: String,
    /// The job's own figures, such as `created`.
    counts: BTreeMap<String, u64>,
    attempts: u32,
    created_by: String,
    created_at: String,
    /// Not begun, or not tried again, before: until then a new job is cancelled without a trace.
    run_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
}

impl From<Job> for JobView {
    fn from(j: Job) -> Self {
        Self {
            id: j.id,
            service: j.service,
            kind: j.kind,
            status: j.status,
            done: j.done,
            total: (j.total != 0).then_some(j.total),
            message: j.message,
            counts: j.counts.into_iter().collect(),
            attempts: j.attempts,
            created_by: j.created_by,
            created_at: time(j.created_at_us),
            run_at: time(j.run_at_us),
            started_at: maybe_time(j.started_at_us),
            ended_at: maybe_time(j.ended_at_us),
        }
    }
}

/// The newest jobs of all services.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList {
    items: Vec<JobView>,
    /// Always `null`: the list holds the newest `limit`.
    next_cursor: Option<String>,
}

/// What became of one item of a job.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobResultView {
    /// Line of an import.
    position: u64,
    /// SKU of an import.
    key: String,
    outcome: String,
    detail: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct JobResultPage {
    items: Vec<JobResultView>,
    next_cursor: Option<String>,
}

/// The newest jobs, of all services.
#[utoipa::path(get, path = "/api/admin/jobs", tag = "operations", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
), responses((status = 200, body = JobList)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: OperationsReader,
    mut query: Query,
) -> Answer<Json<JobList>> {
    let limit = query.limit();
    query.finish()?;
    let page = PageRequest { limit, cursor: String::new() };
    let asked = site.clients.operations.iter().map(|(_, client)| {
        let (mut client, page) = (client.clone(), page.clone());
        async move { client.list_jobs(ListJobsRequest { page: Some(page) }).await }
    });
    let mut items = Vec::new();
    for answer in join_all(asked).await {
        items.extend(answer?.into_inner().items);
    }
    items.sort_by_key(|job| std::cmp::Reverse(job.created_at_us));
    items.truncate(if limit == 0 { 24 } else { limit as usize });
    Ok(Json(JobList { items: items.into_iter().map(JobView::from).collect(), next_cursor: None }))
}

/// One job, with its progress: one's own, or any for who may see all.
#[utoipa::path(get, path = "/api/admin/jobs/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = JobView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: JobsReader,
    Path(id): Path<String>,
) -> Answer<Json<JobView>> {
    for (_, client) in &site.clients.operations {
        match client.clone().get_job(GetJobRequest { id: id.clone() }).await {
            Ok(found) => return Ok(Json(found.into_inner().into())),
            Err(status) => elsewhere(status)?,
        }
    }
    Err(missing())
}

/// What became of each item, by position. Unchanged items of an import are only counted.
#[utoipa::path(get, path = "/api/admin/jobs/{id}/results", tag = "operations", params(
    ("id" = String, Path),
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
), responses((status = 200, body = JobResultPage)), security(("bearer" = [])))]
pub(crate) async fn results(
    State(site): State<Site>,
    _may: JobsReader,
    Path(id): Path<String>,
    mut query: Query,
) -> Answer<Json<JobResultPage>> {
    let page = query.page();
    query.finish()?;
    for (_, client) in &site.clients.operations {
        let request = ListJobResultsRequest { id: id.clone(), page: Some(page.clone()) };
        match client.clone().list_job_results(request).await {
            Ok(found) => {
                let found = found.into_inner();
                let items = found.items.into_iter().map(|r| JobResultView {
                    position: r.position,
                    key: r.key,
                    outcome: r.outcome,
                    detail: r.detail,
                });
                let next_cursor = maybe(found.next_cursor);
                return Ok(Json(JobResultPage { items: items.collect(), next_cursor }));
            }
            Err(status) => elsewhere(status)?,
        }
    }
    Err(missing())
}

/// Cancels a waiting or running job, removes an ended one from the history: one's own, or any for who
/// may.
#[utoipa::path(delete, path = "/api/admin/jobs/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = JobView)), security(("bearer" = [])))]
pub(crate) async fn cancel(
    State(site): State<Site>,
    _may: JobsReader,
    Path(id): Path<String>,
) -> Answer<Json<JobView>> {
    for (_, client) in &site.clients.operations {
        match client.clone().cancel_job(CancelJobRequest { id: id.clone() }).await {
            Ok(found) => return Ok(Json(found.into_inner().into())),
            Err(status) => elsewhere(status)?,
        }
    }
    Err(missing())
}

/// Not found here: the next service is asked. Anything else is the answer.
pub(super) fn elsewhere(status: tonic::Status) -> Answer<()> {
    if Kind::from_code(status.code()) == Kind::NotFound { Ok(()) } else { Err(status.into()) }
}

fn missing() -> Problem {
    Problem::new(http::StatusCode::NOT_FOUND, "job_not_found", "there is no such job")
}
