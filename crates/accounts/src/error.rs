//! What can go wrong with people and sessions, in words that a caller may read.

use std::time::Duration;

use souk_rpc::{Failure, Kind, Violation};

/// Why a use case did not happen. `Display` is the public sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every broken field at once.
    #[error("some fields break a rule")]
    Invalid(Vec<Violation>),
    #[error("there is no such user")]
    UserNotFound,
    #[error("there is no such address")]
    AddressNotFound,
    #[error("the address book holds 50 addresses, no more fit")]
    AddressBookFull,
    #[error("the address was changed since you read it")]
    AddressStale { current: i64 },
    #[error("{} taken", taken(*.username, *.email))]
    Taken { username: bool, email: bool },
    #[error("the user was changed since you read it")]
    StaleVersion,
    #[error("the last active admin must stay one")]
    LastAdmin,
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    #[error("the login or the password is wrong")]
    InvalidCredentials,
    #[error("too many failed attempts, try again later")]
    TooManyAttempts { retry_after: Duration },
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    #[error("the session has ended, log in again")]
    SessionEnded,
    #[error("the account is not active")]
    AccountInactive,
    #[error("a user must be logged in")]
    NotLoggedIn,
    #[error("too many logins at once, try again")]
    Busy,
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
    #[error("a password could not be hashed")]
    Hashing(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Who must act.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::IdempotencyKeyReused => Kind::Invalid,
            Self::UserNotFound | Self::AddressNotFound => Kind::NotFound,
            Self::Taken { .. } | Self::LastAdmin | Self::AddressBookFull => Kind::Conflict,
            Self::StaleVersion | Self::AddressStale { .. } => Kind::Stale,
            Self::InvalidCredentials
            | Self::InvalidRefreshToken
            | Self::SessionEnded
            | Self::NotLoggedIn => Kind::Unauthenticated,
            Self::AccountInactive => Kind::Forbidden,
            Self::TooManyAttempts { .. } => Kind::Exhausted,
            Self::Busy => Kind::Unavailable,
            Self::Storage(_) | Self::Hashing(_) => Kind::Internal,
        }
    }

    /// The machine-readable name.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_fields",
            Self::UserNotFound => "user_not_found",
            Self::AddressNotFound => "address_not_found",
            Self::AddressBookFull => "address_book_full",
            Self::Taken { username: true, .. } => "username_taken",
            Self::Taken { .. } => "email_taken",
            Self::StaleVersion | Self::AddressStale { .. } => "stale_version",
            Self::LastAdmin => "last_admin",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::SessionEnded => "session_ended",
            Self::AccountInactive => "account_inactive",
            Self::NotLoggedIn => "not_logged_in",
            Self::Busy => "busy",
            Self::Storage(_) | Self::Hashing(_) => "internal",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let plain = Self::new(error.kind(), error.reason(), &error);
        match error {
            Error::Storage(_) | Error::Hashing(_) => Self::internal(&error),
            Error::Invalid(violations) => Self::invalid(violations),
            Error::AddressStale { current } => plain.with("current_version", current),
            Error::TooManyAttempts { retry_after } => {
                Self { retry_after: Some(retry_after), ..plain }
            }
            Error::Taken { username, email } => {
                let fields = [("username", username), ("email", email)];
                let taken = fields.into_iter().filter(|(_, taken)| *taken);
                let violations = taken.map(|(field, _)| Violation::new(field, "is taken"));
                Self { violations: violations.collect(), ..plain }
            }
            _ => plain,
        }
    }
}

fn taken(username: bool, email: bool) -> &'static str {
    match (username, email) {
        (true, true) => "the username and the e-mail address are",
        (true, false) => "the username is",
        (false, _) => "the e-mail address is",
    }
}
