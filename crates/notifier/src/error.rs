//! What can go wrong here, in our words.
use souk_rpc::{Failure, Kind, Violation};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such letter")]
    LetterNotFound,
    #[error("some fields break a rule")]
    InvalidFields(Vec<Violation>),
    /// The method needs a person, and a service called for itself.
    #[error("only a user has preferences")]
    NoUser,
    #[error("there is no such newsletter")]
    NewsletterNotFound,
    #[error("the newsletter was sent, or is being sent")]
    NewsletterNotDraft,
    #[error("the newsletter was changed since you read it")]
    StaleVersion,
    #[error("the catalog cannot be asked")]
    CatalogAway(#[source] Failure),
    #[error("the accounts cannot be asked")]
    AccountsAway(#[source] Failure),
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
}

impl Error {
    pub fn kind(&self) -> Kind {
        match self {
            Self::LetterNotFound | Self::NewsletterNotFound => Kind::NotFound,
            Self::NewsletterNotDraft => Kind::Conflict,
            Self::StaleVersion => Kind::Stale,
            Self::InvalidFields(_) => Kind::Invalid,
            Self::NoUser => Kind::Unauthenticated,
            Self::AccountsAway(_) | Self::CatalogAway(_) => Kind::Unavailable,
            Self::Storage(_) => Kind::Internal,
        }
    }

    pub fn reason(&self) -> &'static str {
        match self {
            Self::LetterNotFound => "letter_not_found",
            Self::NewsletterNotFound => "newsletter_not_found",
            Self::NewsletterNotDraft => "newsletter_not_draft",
            Self::StaleVersion => "stale_version",
            Self::InvalidFields(_) => "invalid_fields",
            Self::NoUser => "user_needed",
            Self::AccountsAway(_) => "accounts_away",
            Self::CatalogAway(_) => "catalog_away",
            Self::Storage(_) => "internal",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidFields(violations) => Self::invalid(violations),
            Error::Storage(cause) => Self::internal(&cause),
            other => Self::new(other.kind(), other.reason(), &other),
        }
    }
}
