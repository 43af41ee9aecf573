//! Errors as RFC 9457 `application/problem+json`.
use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use souk_rpc::{Failure, Kind, Violation};
use utoipa::ToSchema;

/// What a client is told when something is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Names the problem; same as `code`, as a relative URI.
    #[serde(rename = "type")]
    #[schema(example = "/problems/sku_taken")]
    problem_type: String,
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// One sentence about this occurrence.
    detail: String,
    /// For programs: `snake_case`, stable.
    #[schema(example = "sku_taken")]
    code: String,
    /// Every field that breaks a rule, by the name it was sent under.
    errors: Vec<FieldError>,
    /// Finds the request in logs and traces.
    trace_id: String,
    /// What there is now, where a version did not match.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_version: Option<u64>,
    /// Facts about this occurrence by name, such as `available`.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    #[allow(clippy::box_collection, reason = "a problem is returned by value: it stays small")]
    facts: Box<BTreeMap<String, serde_json::Value>>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

/// One field that breaks a rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldError {
    field: String,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl ToString) -> Self {
        Self {
            problem_type: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.to_string(),
            code: code.to_owned(),
            errors: Vec::new(),
            trace_id: String::new(),
            current_version: None,
            facts: Box::default(),
            retry_after_s: None,
        }
    }

    /// 422 with all broken fields at once.
    pub(crate) fn fields(violations: Vec<Violation>) -> Self {
        Failure::invalid(violations).into()
    }

    /// 422 for one field.
    pub(crate) fn field(field: &str, message: impl ToString) -> Self {
        Self::fields(vec![Violation::new(field, message)])
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    pub(crate) fn not_parsable(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "not_parsable", detail)
    }

    pub(crate) fn too_many(retry_after_s: u64) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "slow down and try again later",
        );
        problem.retry_after_s = Some(retry_after_s.max(1));
        problem
    }

    /// Too much at once; nothing was begun.
    pub(crate) fn overloaded() -> Self {
        let sentence = "too much to do at the moment, try again";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", sentence);
        problem.retry_after_s = Some(1);
        problem
    }

    /// Names the fields as the client did: `mark` instead of `brand`.
    pub(crate) fn renamed(mut self, sent_as: impl Fn(&str) -> Option<String>) -> Self {
        for error in &mut self.errors {
            if let Some(name) = sent_as(&error.field) {
                error.field = name;
            }
        }
        self
    }

    /// Says which request it is about: for problems inside of other answers.
    pub(crate) fn traced(mut self) -> Self {
        if self.trace_id.is_empty() {
            self.trace_id = super::request_id::trace_id();
        }
        self
    }

    /// About an earlier request, whose answer is given again.
    pub(crate) fn of_trace(mut self, trace_id: String) -> Self {
        self.trace_id = trace_id;
        self
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.title = status.canonical_reason().unwrap_or("Error");
        self.status = status.as_u16();
        self
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.reason.as_str() {
            // it was there, and comes no more
            "code_expired" => StatusCode::GONE,
            "not_a_picture" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "picture_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::from_u16(failure.kind.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        let mut problem = Self::new(status, &failure.reason, &failure.message);
        problem.errors = failure
            .violations
            .into_iter()
            .map(|v| FieldError { field: v.field, message: v.message })
            .collect();
        problem.current_version =
            failure.metadata.get("current_version").and_then(|text| text.parse().ok());
        problem.facts = Box::new(
            failure
                .metadata
                .into_iter()
                .filter(|(name, _)| !["id", "current_version"].contains(&name.as_str()))
                .map(|(name, text)| (name, fact(text)))
                .collect(),
        );
        problem.retry_after_s = match (failure.kind, failure.retry_after) {
            (_, Some(after)) => Some(after.as_secs().max(1)),
            (Kind::Exhausted | Kind::Unavailable, None) => Some(1),
            _ => None,
        };
        problem
    }
}

/// Whole numbers as numbers.
fn fact(text: String) -> serde_json::Value {
    match text.parse::<i64>() {
        Ok(number) => number.into(),
        Err(_) => text.into(),
    }
}

impl From<tonic::Status> for Problem {
    fn from(status: tonic::Status) -> Self {
        Failure::from(status).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = self.traced();
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = problem.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if problem.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s06_s28_whoever_is_sent_away_hears_when_to_come_again() {
        let busy = Failure::new(Kind::Unavailable, "busy", "too many logins at once, try again");
        for problem in [Problem::from(busy), Problem::overloaded()] {
            let response = problem.into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        }
    }
}
