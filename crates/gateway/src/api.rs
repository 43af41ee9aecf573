//! JSON for programs, a module for each noun: take the request apart, ask the service, put the
//! answer together.
pub(crate) mod addresses;
pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod avatars;
pub(crate) mod blocks;
pub(crate) mod carts;
pub(crate) mod categories;
pub(crate) mod checkout;
pub(crate) mod credentials;
pub(crate) mod data_requests;
pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod group_actions;
pub(crate) mod health;
pub(crate) mod images;
pub(crate) mod jobs;
pub(crate) mod me;
pub(crate) mod newsletter;
pub(crate) mod newsletters;
pub(crate) mod notifications;
pub(crate) mod openapi;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod products;
pub(crate) mod registration;
pub(crate) mod reports;
pub(crate) mod roles;
pub(crate) mod second_factor;
pub(crate) mod sent;
pub(crate) mod sessions;
pub(crate) mod shop_rules;
pub(crate) mod stock;
pub(crate) mod transfer;
pub(crate) mod users;

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::http::precondition;
use crate::http::problem::Problem;

/// What a handler answers when something is wrong.
pub(crate) type Answer<T> = Result<T, Problem>;

/// RFC 3339, UTC, to the microsecond.
pub(crate) fn time(us: i64) -> String {
    let at = DateTime::from_timestamp_micros(us).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// `None` for 0: it has not happened.
pub(crate) fn maybe_time(us: i64) -> Option<String> {
    (us != 0).then(|| time(us))
}

/// `None` for an empty text of the wire.
pub(crate) fn maybe(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A body with its ETag.
pub(crate) fn tagged<T: Serialize>(status: StatusCode, version: u64, body: &T) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::ETAG, precondition::tag(version, None));
    response
}

/// The client's key for repeating a request safely: 1 to 255 visible characters.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Answer<String> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(String::new()) };
    let visible = |v: &&HeaderValue| {
        (1..=255).contains(&v.len()) && v.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let text = Some(value).filter(visible).and_then(|v| v.to_str().ok());
    text.map(str::to_owned).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            "Idempotency-Key must be 1 to 255 visible characters",
        )
    })
}

/// For the one who asked, once: no cache keeps it.
pub(crate) fn secret(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A 201 with the address of what was made.
pub(crate) fn created<T: Serialize>(location: &str, version: Option<u64>, body: &T) -> Response {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if let Some(version) = version {
        response.headers_mut().insert(header::ETAG, precondition::tag(version, None));
    }
    response
}
