//! What can be wrong, in the words of analytics.
use souk_events::HandleError;
use souk_rpc::{Failure, Kind, Violation};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("some fields break a rule")]
    Invalid(Vec<Violation>),
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
}

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::Storage(_) => Kind::Internal,
        }
    }

    /// The `code` of the HTTP contract.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_fields",
            Self::Storage(_) => "internal",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(error.kind(), error.reason(), &error);
        match error {
            Error::Invalid(violations) => Self { violations, ..failure },
            Error::Storage(ref cause) => Self::internal(cause),
        }
    }
}

impl From<Error> for HandleError {
    fn from(error: Error) -> Self {
        match error {
            Error::Storage(cause) => cause.into(),
            other @ Error::Invalid(_) => Self::Failed(other.into()),
        }
    }
}
