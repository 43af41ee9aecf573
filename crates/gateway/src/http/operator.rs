//! The operator's port: metrics and health, not for the street.
use axum::Router;
use axum::routing::get;
use http::{HeaderValue, header};

use super::Site;
use crate::api;

pub(crate) fn router(site: &Site) -> Router {
    let metrics = get(|| async {
        let text = souk_telemetry::render_metrics();
        ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"))], text)
    });
    Router::new()
        .route("/metrics", metrics)
        .route("/healthz", get(api::health::alive))
        .route("/readyz", get(api::health::ready))
        .with_state(site.clone())
}
