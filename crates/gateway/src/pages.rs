//! HTML for people: an index and a reader of the API, and the development mailbox.
mod index;
mod mailbox;
mod newsletter;
mod reader;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::openapi::OpenApi;

use crate::http::Site;

pub(crate) fn router(document: Arc<OpenApi>) -> Router<Site> {
    let (of_index, of_reader) = (document.clone(), document.clone());
    Router::new()
        .route("/", get(move || index::page(of_index.clone())))
        .route("/api/docs", get(move || reader::page(of_reader.clone())))
        .route("/routes", get(move || index::list(document.clone())))
        .route("/dev/mailbox", get(mailbox::list))
        .route("/dev/mailbox/{id}", get(mailbox::letter))
        .route("/newsletter/confirm", get(newsletter::ask_confirm).post(newsletter::confirm))
        .route("/newsletter/unsubscribe", get(newsletter::ask_end).post(newsletter::end))
}
