//! What can go wrong with people and sessions, in words that a caller may read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use souk_pictures::PictureError;
use souk_rpc::{Failure, Kind, Violation};
use souk_values::BlockId;

use crate::domain::block::spelled;

/// Why a use case did not happen. `Display` is the public sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every broken field at once.
    #[error("some fields break a rule")]
    Invalid(Vec<Violation>),
    #[error("there is no such user")]
    UserNotFound,
    #[error("nobody asked for this letter")]
    MailNotFound,
    #[error("there is no such avatar")]
    AvatarNotFound,
    #[error("the avatar was changed since you read it")]
    AvatarStale { current: i64 },
    #[error("this is no picture")]
    NotAPicture,
    #[error("the picture is too large")]
    PictureTooLarge(#[source] PictureError),
    #[error("there is no such subscriber")]
    SubscriberNotFound,
    #[error("the link is unknown, or a newer one counts")]
    NewsletterLinkNotFound,
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
    #[error("there is no such session")]
    SessionNotFound,
    #[error("the account is blocked")]
    AccountBlocked { until: Option<DateTime<Utc>> },
    #[error("it is blocked already")]
    BlockedAlready { block: BlockId },
    #[error("there is no such block")]
    BlockNotFound,
    #[error("nobody does this to their own account")]
    OwnAccount,
    #[error("the account is not active")]
    AccountInactive,
    #[error("a user must be logged in")]
    NotLoggedIn,
    #[error("there is no such registration")]
    RegistrationNotFound,
    #[error("the link was used, replaced or never made")]
    ResetNotFound,
    #[error("nobody asked for another e-mail address")]
    EmailChangeNotFound,
    #[error("it came too late, ask for a new one")]
    CodeExpired,
    #[error("the code is wrong")]
    WrongCode { tries_left: Option<u32> },
    #[error("the password is wrong")]
    WrongPassword,
    #[error("no further letter is sent yet")]
    ResendLimit { retry_after: Duration },
    #[error("a code of the second factor is needed")]
    SecondFactorRequired,
    #[error("the code of the second factor is wrong")]
    WrongSecondFactor,
    #[error("give your second factor again, then repeat this within five minutes")]
    SecondFactorNeeded,
    #[error("this account must have a second factor")]
    SecondFactorMandatory,
    #[error("the account has a second factor already")]
    SecondFactorEnrolled,
    #[error("the account has no second factor")]
    SecondFactorNotEnrolled,
    #[error("no second factor waits to be confirmed, begin again")]
    SecondFactorNotBegun,
    #[error("an API key cannot do this, a person must")]
    NotByApiKey,
    #[error("there is no such API key")]
    ApiKeyNotFound,
    #[error("the API key is not valid")]
    InvalidApiKey,
    #[error("an account has at most 20 API keys, revoke one first")]
    TooManyKeys,
    #[error("a role has this name already")]
    RoleTaken,
    #[error("there is no such role")]
    RoleNotFound,
    #[error("this role stays as it is")]
    RoleFixed,
    #[error("somebody has this role")]
    RoleInUse,
    #[error("nobody gives or takes permissions that they do not hold")]
    BeyondOwnPermissions,
    #[error("a file is being made already")]
    ExportRunning,
    #[error("three files a day are enough, try again later")]
    TooManyExports { retry_after: Duration },
    #[error("there is no such file")]
    ExportNotFound,
    #[error("the account is to be erased already")]
    ErasureRequested,
    #[error("no erasure waits")]
    ErasureNotFound,
    #[error("the erasure has begun and cannot be taken back")]
    ErasureBegun,
    #[error("too many logins at once, try again")]
    Busy,
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
    #[error("a second factor could not be sealed or read")]
    SecondFactor(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a picture could not be made")]
    Picture(#[source] PictureError),
    #[error("a password could not be hashed")]
    Hashing(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Who must act.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_)
            | Self::IdempotencyKeyReused
            | Self::NotAPicture
            | Self::PictureTooLarge(_)
            | Self::WrongCode { .. }
            | Self::WrongPassword => Kind::Invalid,
            Self::UserNotFound
            | Self::AddressNotFound
            | Self::MailNotFound
            | Self::AvatarNotFound
            | Self::SubscriberNotFound
            | Self::NewsletterLinkNotFound
            | Self::SessionNotFound
            | Self::RegistrationNotFound
            | Self::ResetNotFound
            | Self::EmailChangeNotFound
            | Self::CodeExpired
            | Self::BlockNotFound
            | Self::ApiKeyNotFound
            | Self::ExportNotFound
            | Self::ErasureNotFound
            | Self::RoleNotFound => Kind::NotFound,
            Self::Taken { .. }
            | Self::LastAdmin
            | Self::AddressBookFull
            | Self::SecondFactorEnrolled
            | Self::SecondFactorNotEnrolled
            | Self::SecondFactorNotBegun
            | Self::RoleTaken
            | Self::RoleInUse
            | Self::ExportRunning
            | Self::ErasureRequested
            | Self::ErasureBegun
            | Self::BlockedAlready { .. } => Kind::Conflict,
            Self::StaleVersion | Self::AddressStale { .. } | Self::AvatarStale { .. } => {
                Kind::Stale
            }
            Self::InvalidCredentials
            | Self::InvalidRefreshToken
            | Self::SessionEnded
            | Self::SecondFactorRequired
            | Self::WrongSecondFactor
            | Self::InvalidApiKey
            | Self::NotLoggedIn => Kind::Unauthenticated,
            Self::AccountInactive
            | Self::AccountBlocked { .. }
            | Self::OwnAccount
            | Self::SecondFactorNeeded
            | Self::SecondFactorMandatory
            | Self::NotByApiKey
            | Self::RoleFixed
            | Self::BeyondOwnPermissions => Kind::Forbidden,
            Self::TooManyAttempts { .. }
            | Self::ResendLimit { .. }
            | Self::TooManyExports { .. }
            | Self::TooManyKeys => Kind::Exhausted,
            Self::Busy => Kind::Unavailable,
            Self::Storage(_) | Self::Hashing(_) | Self::SecondFactor(_) | Self::Picture(_) => {
                Kind::Internal
            }
        }
    }

    /// The machine-readable name.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_fields",
            Self::UserNotFound => "user_not_found",
            Self::MailNotFound => "mail_not_found",
            Self::AvatarNotFound => "avatar_not_found",
            Self::NotAPicture => "not_a_picture",
            Self::PictureTooLarge(_) => "picture_too_large",
            Self::SubscriberNotFound => "subscriber_not_found",
            Self::NewsletterLinkNotFound => "newsletter_link_not_found",
            Self::AddressNotFound => "address_not_found",
            Self::AddressBookFull => "address_book_full",
            Self::Taken { username: true, .. } => "username_taken",
            Self::Taken { .. } => "email_taken",
            Self::StaleVersion | Self::AddressStale { .. } | Self::AvatarStale { .. } => {
                "stale_version"
            }
            Self::LastAdmin => "last_admin",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::SessionEnded => "session_ended",
            Self::SessionNotFound => "session_not_found",
            Self::AccountInactive => "account_inactive",
            Self::AccountBlocked { .. } => "account_blocked",
            Self::BlockedAlready { .. } => "blocked_already",
            Self::BlockNotFound => "block_not_found",
            Self::OwnAccount => "own_account",
            Self::NotLoggedIn => "not_logged_in",
            Self::RegistrationNotFound => "registration_not_found",
            Self::ResetNotFound => "reset_not_found",
            Self::EmailChangeNotFound => "email_change_not_found",
            Self::CodeExpired => "code_expired",
            Self::WrongCode { .. } => "wrong_code",
            Self::WrongPassword => "wrong_password",
            Self::ResendLimit { .. } => "resend_limit",
            Self::SecondFactorRequired | Self::SecondFactorMandatory => "second_factor_required",
            Self::WrongSecondFactor => "wrong_second_factor",
            Self::SecondFactorNeeded => "second_factor_needed",
            Self::SecondFactorEnrolled => "second_factor_enrolled",
            Self::SecondFactorNotEnrolled => "second_factor_not_enrolled",
            Self::SecondFactorNotBegun => "second_factor_not_begun",
            Self::NotByApiKey => "not_by_api_key",
            Self::ApiKeyNotFound => "api_key_not_found",
            Self::InvalidApiKey => "invalid_api_key",
            Self::TooManyKeys => "too_many_keys",
            Self::RoleTaken => "role_taken",
            Self::RoleNotFound => "role_not_found",
            Self::RoleFixed => "role_fixed",
            Self::RoleInUse => "role_in_use",
            Self::BeyondOwnPermissions => "beyond_own_permissions",
            Self::ExportRunning => "export_running",
            Self::TooManyExports { .. } => "too_many_exports",
            Self::ExportNotFound => "export_not_found",
            Self::ErasureRequested => "erasure_requested",
            Self::ErasureNotFound => "erasure_not_found",
            Self::ErasureBegun => "erasure_begun",
            Self::Busy => "busy",
            Self::Storage(_) | Self::Hashing(_) | Self::SecondFactor(_) | Self::Picture(_) => {
                "internal"
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let plain = Self::new(error.kind(), error.reason(), &error);
        match error {
            Error::Storage(_) | Error::Hashing(_) | Error::SecondFactor(_) | Error::Picture(_) => {
                Self::internal(&error)
            }
            Error::NotAPicture => {
                let violations = vec![Violation::new("file", PictureError::NotAPicture)];
                Self { violations, ..plain }
            }
            Error::PictureTooLarge(why) => {
                Self { violations: vec![Violation::new("file", why)], ..plain }
            }
            Error::Invalid(violations) => Self::invalid(violations),
            Error::AccountBlocked { until: Some(until) } => plain.with("until", spelled(until)),
            Error::BlockedAlready { block } => plain.with("block_id", block),
            Error::AddressStale { current } | Error::AvatarStale { current } => {
                plain.with("current_version", current)
            }
            Error::TooManyAttempts { retry_after }
            | Error::ResendLimit { retry_after }
            | Error::TooManyExports { retry_after } => {
                Self { retry_after: Some(retry_after), ..plain }
            }
            Error::WrongCode { tries_left } => {
                let violations = vec![Violation::new("code", "is wrong")];
                let wrong = Self { violations, ..plain };
                match tries_left {
                    Some(left) => wrong.with("tries_left", left),
                    None => wrong,
                }
            }
            Error::WrongPassword => {
                let violations = vec![Violation::new("current_password", "is wrong")];
                Self { violations, ..plain }
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
