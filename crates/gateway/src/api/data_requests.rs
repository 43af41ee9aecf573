//! All that is kept of somebody: as a file for them, or away.
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    CancelErasureRequest, DataExport, DownloadExportRequest, Erasure, GetErasureRequest,
    GetExportRequest, StartErasureRequest, StartExportRequest,
};
use utoipa::ToSchema;

use super::{Answer, maybe, maybe_time, secret, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::{Session, UsersReader, UsersWriter};

/// Where one's own file is.
const FILE: &str = "/api/me/export/file";

/// The file with everything that is kept of somebody.
#[derive(Serialize, ToSchema)]
pub(crate) struct DataExportView {
    job_id: String,
    user_id: String,
    /// `waiting`, `running`, `ready`, `expired`, `failed` or `cancelled`.
    #[schema(example = "ready")]
    status: String,
    /// Services that have given theirs.
    done: u32,
    /// `null` while it is not known.
    total: Option<u32>,
    requested_at: String,
    requested_by: String,
    ready_at: Option<String>,
    /// From then on the file is gone.
    expires_at: Option<String>,
    /// Of the file.
    bytes: Option<u64>,
    /// Where the owner gets it, with a fresh session; `null` while it is not there.
    link: Option<&'static str>,
}

impl From<DataExport> for DataExportView {
    fn from(e: DataExport) -> Self {
        let ready = e.status == "ready";
        Self {
            job_id: e.job_id,
            user_id: e.user_id,
            status: e.status,
            done: e.done,
            total: (e.total != 0).then_some(e.total),
            requested_at: time(e.requested_at_us),
            requested_by: e.requested_by,
            ready_at: maybe_time(e.ready_at_us),
            expires_at: maybe_time(e.expires_at_us),
            bytes: ready.then_some(e.bytes),
            link: ready.then_some(FILE),
        }
    }
}

/// The end of everything that names somebody.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureView {
    job_id: String,
    user_id: String,
    /// `waiting`, `held` (something stands against it; it is tried again), `running`, `done`, `failed` or `cancelled`.
    #[schema(example = "waiting")]
    status: String,
    /// What it is held by, or why it failed.
    #[schema(example = "orders: open_orders S-7F3K-9Q2M")]
    reason: Option<String>,
    requested_at: String,
    requested_by: String,
    /// Not before; until then it can be taken back.
    run_at: String,
    /// Steps that are done.
    done: u32,
    /// `null` while it is not known.
    total: Option<u32>,
}

impl From<Erasure> for ErasureView {
    fn from(e: Erasure) -> Self {
        Self {
            job_id: e.job_id,
            user_id: e.user_id,
            status: e.status,
            reason: maybe(e.reason),
            requested_at: time(e.requested_at_us),
            requested_by: e.requested_by,
            run_at: time(e.run_at_us),
            done: e.done,
            total: (e.total != 0).then_some(e.total),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ErasureBody {
    current_password: String,
}

/// Has a file made of everything that is kept of you. A letter tells when it is there.
#[utoipa::path(post, path = "/api/me/export", tag = "me",
    responses((status = 202, body = DataExportView),
        (status = 409, description = "export_running", body = Problem),
        (status = 429, description = "too_many_exports: three a day", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn start_export(State(site): State<Site>, _session: Session) -> Answer<Response> {
    export(&site, String::new(), "/api/me/export".to_owned()).await
}

/// The newest file that you asked for, and how far it is.
#[utoipa::path(get, path = "/api/me/export", tag = "me",
    responses((status = 200, body = DataExportView),
        (status = 404, description = "export_not_found", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn get_export(
    State(site): State<Site>,
    _session: Session,
) -> Answer<Json<DataExportView>> {
    find_export(&site, String::new()).await
}

/// The file itself: JSON, an object of services, of sections, of lists of records. Needs a fresh
/// session.
#[utoipa::path(get, path = "/api/me/export/file", tag = "me",
    responses((status = 200, content_type = "application/json", body = Object),
        (status = 404, description = "export_not_found: not asked for, not ready, or expired",
            body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn download(State(site): State<Site>, _session: Session) -> Answer<Response> {
    let mut requests = site.clients.data_requests.clone();
    let parts = requests.download_export(DownloadExportRequest {}).await?.into_inner();
    let bytes = parts.map(|part| part.map(|chunk| bytes::Bytes::from(chunk.content)));
    let mut response = secret(Response::new(Body::from_stream(bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let name = HeaderValue::from_static("attachment; filename=\"personal-data.json\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// Has your account and everything that names you erased, after some days in which you can take it
/// back. Orders keep their figures. What is still open comes first.
#[utoipa::path(post, path = "/api/me/erasure", tag = "me", request_body = ErasureBody,
    responses((status = 202, body = ErasureView),
        (status = 409, description = "erasure_requested, last_admin", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn start_erasure(
    State(site): State<Site>,
    _session: Session,
    mut body: Fields,
) -> Answer<Response> {
    let current_password = body.required("current_password");
    body.finish()?;
    let request = StartErasureRequest { user_id: String::new(), current_password };
    erase(&site, request, "/api/me/erasure".to_owned()).await
}

/// How the erasure of your account stands.
#[utoipa::path(get, path = "/api/me/erasure", tag = "me",
    responses((status = 200, body = ErasureView),
        (status = 404, description = "erasure_not_found", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn get_erasure(
    State(site): State<Site>,
    _session: Session,
) -> Answer<Json<ErasureView>> {
    find_erasure(&site, String::new()).await
}

/// Takes the wish back: your account stays.
#[utoipa::path(delete, path = "/api/me/erasure", tag = "me",
    responses((status = 200, body = ErasureView),
        (status = 404, description = "erasure_not_found", body = Problem),
        (status = 409, description = "erasure_begun", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn cancel_erasure(
    State(site): State<Site>,
    _session: Session,
) -> Answer<Json<ErasureView>> {
    stop_erasure(&site, String::new()).await
}

/// Has the file made for somebody who asked by mail; only they can get it.
#[utoipa::path(post, path = "/api/users/{id}/export", tag = "users", params(("id" = String, Path)),
    responses((status = 202, body = DataExportView),
        (status = 409, description = "export_running", body = Problem),
        (status = 429, description = "too_many_exports", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn start_export_of_user(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
) -> Answer<Response> {
    let path = format!("/api/users/{id}/export");
    export(&site, id, path).await
}

/// How somebody's newest file stands.
#[utoipa::path(get, path = "/api/users/{id}/export", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = DataExportView)), security(("bearer" = [])))]
pub(crate) async fn get_export_of_user(
    State(site): State<Site>,
    _may: UsersReader,
    Path(id): Path<String>,
) -> Answer<Json<DataExportView>> {
    find_export(&site, id).await
}

/// Has somebody erased who asked by mail.
#[utoipa::path(post, path = "/api/users/{id}/erasure", tag = "users", params(("id" = String, Path)),
    responses((status = 202, body = ErasureView),
        (status = 409, description = "erasure_requested, last_admin", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn start_erasure_of_user(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
) -> Answer<Response> {
    let path = format!("/api/users/{id}/erasure");
    let request = StartErasureRequest { user_id: id, current_password: String::new() };
    erase(&site, request, path).await
}

/// How somebody's erasure stands, also when they are gone.
#[utoipa::path(get, path = "/api/users/{id}/erasure", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = ErasureView)), security(("bearer" = [])))]
pub(crate) async fn get_erasure_of_user(
    State(site): State<Site>,
    _may: UsersReader,
    Path(id): Path<String>,
) -> Answer<Json<ErasureView>> {
    find_erasure(&site, id).await
}

/// Takes it back for somebody.
#[utoipa::path(delete, path = "/api/users/{id}/erasure", tag = "users",
    params(("id" = String, Path)),
    responses((status = 200, body = ErasureView),
        (status = 409, description = "erasure_begun", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn cancel_erasure_of_user(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
) -> Answer<Json<ErasureView>> {
    stop_erasure(&site, id).await
}

async fn export(site: &Site, user_id: String, location: String) -> Answer<Response> {
    let request = StartExportRequest { user_id };
    let started = site.clients.data_requests.clone().start_export(request).await?.into_inner();
    Ok(accepted(&DataExportView::from(started), &location))
}

async fn find_export(site: &Site, user_id: String) -> Answer<Json<DataExportView>> {
    let request = GetExportRequest { user_id };
    let found = site.clients.data_requests.clone().get_export(request).await?.into_inner();
    Ok(Json(found.into()))
}

async fn erase(site: &Site, request: StartErasureRequest, location: String) -> Answer<Response> {
    let started = site.clients.data_requests.clone().start_erasure(request).await?.into_inner();
    Ok(accepted(&ErasureView::from(started), &location))
}

async fn find_erasure(site: &Site, user_id: String) -> Answer<Json<ErasureView>> {
    let request = GetErasureRequest { user_id };
    let found = site.clients.data_requests.clone().get_erasure(request).await?.into_inner();
    Ok(Json(found.into()))
}

async fn stop_erasure(site: &Site, user_id: String) -> Answer<Json<ErasureView>> {
    let request = CancelErasureRequest { user_id };
    let stopped = site.clients.data_requests.clone().cancel_erasure(request).await?.into_inner();
    Ok(Json(stopped.into()))
}

/// It is stored and will be done, also after a crash.
fn accepted<T: Serialize>(view: &T, location: &str) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
