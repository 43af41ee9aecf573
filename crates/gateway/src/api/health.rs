//! Health, for load balancers.
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use souk_service::PartHealth;
use utoipa::ToSchema;

use crate::http::Site;

/// Whether the process can work, part by part.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthView {
    /// `ok`, `degraded` (something it can do without for a while is away) or `unready`.
    status: &'static str,
    parts: BTreeMap<String, bool>,
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = HealthView)))]
pub(crate) async fn alive() -> Json<HealthView> {
    Json(HealthView { status: "ok", parts: BTreeMap::new() })
}

/// The process can work. 503 while it starts, stops, misses a database, or has not yet read from
/// accounts which sessions ended.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = HealthView), (status = 503, body = HealthView)))]
pub(crate) async fn ready(State(site): State<Site>) -> Response {
    let mut parts = site.readiness.parts().await;
    // before the first list nobody can be logged in; later it is missed by some requests only
    parts.push(PartHealth {
        name: "sessions".to_owned(),
        works: site.revocations.is_trusted(),
        needed: !site.revocations.is_known(),
    });
    let ready = parts.iter().all(|part| part.works || !part.needed);
    let whole = parts.iter().all(|part| part.works);
    let (code, status) = match (ready, whole) {
        (true, true) => (StatusCode::OK, "ok"),
        (true, false) => (StatusCode::OK, "degraded"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
    };
    let parts = parts.into_iter().map(|part| (part.name, part.works)).collect();
    (code, Json(HealthView { status, parts })).into_response()
}
