//! The closed list of what can be wrong with a call.

/// What went wrong, coarsely: who must act. One table maps it to gRPC and HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A field breaks a rule: INVALID_ARGUMENT, 422.
    Invalid,
    /// UNAUTHENTICATED, 401.
    Unauthenticated,
    /// PERMISSION_DENIED, 403.
    Forbidden,
    /// Missing, or not yours: NOT_FOUND, 404.
    NotFound,
    /// Conflict with the current state: ALREADY_EXISTS or ABORTED, 409.
    Conflict,
    /// The caller's copy is old: FAILED_PRECONDITION, 412.
    Stale,
    /// Over a limit: RESOURCE_EXHAUSTED, 429.
    Exhausted,
    /// DEADLINE_EXCEEDED, 504.
    Timeout,
    /// Nothing was accepted, try again: UNAVAILABLE, 503.
    Unavailable,
    /// INTERNAL, 500.
    Internal,
}

impl Kind {
    pub fn code(self) -> tonic::Code {
        use tonic::Code;
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
            Self::Conflict => Code::AlreadyExists,
            Self::Stale => Code::FailedPrecondition,
            Self::Exhausted => Code::ResourceExhausted,
            Self::Timeout => Code::DeadlineExceeded,
            Self::Unavailable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }

    pub fn from_code(code: tonic::Code) -> Self {
        use tonic::Code;
        match code {
            Code::InvalidArgument | Code::OutOfRange => Self::Invalid,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::Forbidden,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists | Code::Aborted => Self::Conflict,
            Code::FailedPrecondition => Self::Stale,
            Code::ResourceExhausted => Self::Exhausted,
            // tonic's client answers its own time-out with Cancelled
            Code::DeadlineExceeded | Code::Cancelled => Self::Timeout,
            Code::Unavailable => Self::Unavailable,
            _ => Self::Internal,
        }
    }

    pub fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Stale => 412,
            Self::Exhausted => 429,
            Self::Timeout => 504,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}
