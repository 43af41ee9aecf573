//! A failure that crosses a service border: kind, reason, sentence, broken fields. The wire form is
//! `google.rpc.Status` with `ErrorInfo`, `BadRequest` and `RetryInfo` (tonic-types).
use std::collections::BTreeMap;
use std::time::Duration;

use crate::Kind;

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
        Self { violations, ..Self::new(Kind::Invalid, "invalid_fields", "some fields break a rule") }
    }
    /// Logs the cause once, with an id, and tells the caller only the id.
    pub fn internal(_cause: &(dyn std::error::Error + 'static)) -> Self {
        todo!()
    }
}

impl From<Failure> for tonic::Status {
    fn from(_failure: Failure) -> Self {
        todo!()
    }
}

impl From<tonic::Status> for Failure {
    /// Never fails: a status without details gets a reason made of its code.
    fn from(_status: tonic::Status) -> Self {
        todo!()
    }
}
