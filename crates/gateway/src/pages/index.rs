//! What there is: a page with the routes, and the same as JSON.
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{HttpMethod, OpenApi};

/// One address of the API.
#[derive(Serialize)]
pub(super) struct RouteView {
    path: String,
    methods: Vec<&'static str>,
    summary: String,
}

#[derive(Template)]
#[template(path = "pages/index.html")]
struct Index {
    routes: Vec<RouteView>,
}

pub(super) async fn page(document: Arc<OpenApi>) -> Response {
    match (Index { routes: routes(&document) }).render() {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(%error, "page not rendered");
            http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) async fn list(document: Arc<OpenApi>) -> Json<Vec<RouteView>> {
    Json(routes(&document))
}

fn routes(document: &OpenApi) -> Vec<RouteView> {
    let methods = [
        (HttpMethod::Get, "GET"),
        (HttpMethod::Post, "POST"),
        (HttpMethod::Put, "PUT"),
        (HttpMethod::Patch, "PATCH"),
        (HttpMethod::Delete, "DELETE"),
    ];
    document
        .paths
        .paths
        .keys()
        .map(|path| {
            let with =
                |method: &HttpMethod| document.paths.get_path_operation(path, method.clone());
            let found: Vec<_> =
                methods.iter().filter_map(|(m, name)| Some((*name, with(m)?))).collect();
            let summary = found.first().and_then(|(_, op)| op.summary.clone());
            RouteView {
                path: path.clone(),
                methods: found.iter().map(|(name, _)| *name).collect(),
                summary: summary.unwrap_or_default(),
            }
        })
        .collect()
}
