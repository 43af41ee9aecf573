//! A failure that crosses a service border: kind, reason, sentence, broken fields. The wire form is
//! `google.rpc.Status` with `ErrorInfo`, `BadRequest` and `RetryInfo` (tonic-types).
use std::collections::BTreeMap;
use std::time::Duration;

use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::Kind;

const DOMAIN: &str = "souk";
/// Details travel in a header, and headers have a limit (64 KiB here): what is too much is cut.
const VIOLATIONS_MAX: usize = 100;
/// Bytes of a field's name and of any sentence or value.
const NAME_MAX: usize = 100;
const TEXT_MAX: usize = 200;

/// One field that breaks a rule, named as in the HTTP contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub message: String,
}

impl Violation {
    pub fn new(field: impl Into<String>, message: impl ToString) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: Kind,
    /// Machine-readable, `snake_case`: `sku_taken`. The `code` of problem+json.
    pub reason: String,
    /// One sentence for a person, lower case, without secrets.
    pub message: String,
    pub violations: Vec<Violation>,
    /// More facts by name, such as `available`.
    pub metadata: BTreeMap<String, String>,
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(kind: Kind, reason: &str, message: impl ToString) -> Self {
        Self {
            kind,
            reason: reason.to_owned(),
            message: message.to_string(),
            violations: Vec::new(),
            metadata: BTreeMap::new(),
            retry_after: None,
        }
    }

    /// All broken fields at once; reason `invalid_fields`.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        Self {
            violations,
            ..Self::new(Kind::Invalid, "invalid_fields", "some fields break a rule")
        }
    }

    /// Logs the cause once, with an id, and tells the caller only the id.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let id = fresh_id();
        tracing::error!(id, cause = chain(cause), "internal error");
        Self::internal_with(&id)
    }

    /// Something broke and was logged under this id.
    pub(crate) fn internal_with(id: &str) -> Self {
        let message = format!("something went wrong (id {id})");
        let failure = Self::new(Kind::Internal, "internal", message);
        failure.with("id", id)
    }

    /// One more fact.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.metadata.insert(name.to_owned(), value.to_string());
        self
    }

    /// When it is worth to try again.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// 16 hexadecimal digits that find the log line.
pub(crate) fn fresh_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(16);
    id
}

pub(crate) fn chain(cause: &(dyn std::error::Error + 'static)) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn cut(text: String, max: usize) -> String {
    if text.len() <= max { text } else { format!("{}…", &text[..text.floor_char_boundary(max)]) }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        let mut details = ErrorDetails::new();
        let metadata =
            failure.metadata.into_iter().map(|(name, value)| (name, cut(value, TEXT_MAX)));
        let metadata: std::collections::HashMap<_, _> = metadata.collect();
        details.set_error_info(failure.reason, DOMAIN, metadata);
        if !failure.violations.is_empty() {
            let violations = failure.violations.into_iter().take(VIOLATIONS_MAX);
            let violations: Vec<_> = violations
                .map(|v| FieldViolation::new(cut(v.field, NAME_MAX), cut(v.message, TEXT_MAX)))
                .collect();
            details.set_bad_request(violations);
        }
        if failure.retry_after.is_some() {
            details.set_retry_info(failure.retry_after);
        }
        Self::with_error_details(failure.kind.code(), cut(failure.message, TEXT_MAX), details)
    }
}

impl From<tonic::Status> for Failure {
    /// Never fails: a status without details gets a reason made of its code.
    fn from(status: tonic::Status) -> Self {
        let kind = Kind::from_code(status.code());
        let details = status.get_error_details();
        let ours = details.error_info().filter(|info| info.domain == DOMAIN);
        let mut failure = match ours {
            Some(info) => Self {
                metadata: info.metadata.clone().into_iter().collect(),
                ..Self::new(kind, &info.reason, status.message())
            },
            None => foreign(kind, &status),
        };
        if let Some(request) = details.bad_request() {
            let violations = request.field_violations.iter();
            failure.violations =
                violations.map(|v| Violation::new(v.field.as_str(), &v.description)).collect();
        }
        failure.retry_after = details.retry_info().and_then(|info| info.retry_delay);
        failure
    }
}

/// Not made by us: by tonic, a proxy, a broken connection. Its text may name addresses, so only
/// harmless kinds keep it.
fn foreign(kind: Kind, status: &tonic::Status) -> Failure {
    let (reason, sentence) = match kind {
        Kind::Invalid => ("invalid", None),
        Kind::Unauthenticated => ("unauthenticated", None),
        Kind::Forbidden => ("forbidden", None),
        Kind::NotFound => ("not_found", None),
        Kind::Conflict => ("conflict", None),
        Kind::Stale => ("stale", None),
        Kind::Exhausted => ("exhausted", None),
        Kind::Timeout => ("timeout", Some("the answer took too long")),
        Kind::Unavailable => ("unavailable", Some("the service cannot answer at the moment")),
        Kind::Internal => ("internal", Some("something went wrong")),
    };
    if kind == Kind::Internal {
        tracing::warn!(code = ?status.code(), text = status.message(), "status without a reason");
    }
    Failure::new(kind, reason, sentence.unwrap_or(status.message()))
}

#[cfg(test)]
mod tests;
