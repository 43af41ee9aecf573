//! What can be wrong, in the words of the catalogue.
use souk_rpc::{Failure, Kind, Violation};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such product")]
    ProductNotFound,
    #[error("the SKU is taken by another product")]
    SkuTaken,
    #[error("the slug is taken by another product")]
    SlugTaken,
    #[error("the product was changed meanwhile: it is at version {current}")]
    StaleVersion { current: i64 },
    #[error("some fields break a rule")]
    Invalid(Vec<Violation>),
    #[error("there is no such category")]
    CategoryNotFound,
    #[error("the category above it does not exist")]
    ParentNotFound,
    #[error("the category exists")]
    CategoryExists,
    #[error("there are products or categories in it")]
    CategoryInUse,
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("a request with this idempotency key is on its way")]
    KeyRaced,
    #[error("there is no such picture")]
    ImageNotFound,
    #[error("less would be on the shelf than the {reserved} that are reserved")]
    StockBelowReserved { reserved: i64 },
    #[error("the order was released: nothing more can be had for it")]
    OrderEnded,
    #[error("nothing was reserved for the order")]
    NotReserved,
    #[error("more would come back than was sold")]
    ReturnsTooMuch,
    #[error("the work was abandoned, its outcome is not known")]
    Abandoned,
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
    #[error("the file store failed")]
    Files(#[from] std::io::Error),
}

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::ProductNotFound
            | Self::CategoryNotFound
            | Self::ParentNotFound
            | Self::ImageNotFound
            | Self::NotReserved => Kind::NotFound,
            Self::SkuTaken
            | Self::SlugTaken
            | Self::CategoryExists
            | Self::CategoryInUse
            | Self::KeyRaced
            | Self::StockBelowReserved { .. }
            | Self::OrderEnded
            | Self::ReturnsTooMuch => Kind::Conflict,
            Self::StaleVersion { .. } => Kind::Stale,
            Self::Invalid(_) | Self::KeyReused => Kind::Invalid,
            Self::Abandoned | Self::Storage(_) | Self::Files(_) => Kind::Internal,
        }
    }

    /// The `code` of the HTTP contract.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::ProductNotFound => "product_not_found",
            Self::SkuTaken => "sku_taken",
            Self::SlugTaken => "slug_taken",
            Self::StaleVersion { .. } => "stale_version",
            Self::Invalid(_) => "invalid_fields",
            Self::CategoryNotFound => "category_not_found",
            Self::ParentNotFound => "parent_not_found",
            Self::CategoryExists => "category_exists",
            Self::CategoryInUse => "category_in_use",
            Self::KeyReused => "idempotency_key_reused",
            Self::KeyRaced => "idempotency_key_in_flight",
            Self::ImageNotFound => "image_not_found",
            Self::StockBelowReserved { .. } => "stock_below_reserved",
            Self::OrderEnded => "order_ended",
            Self::NotReserved => "not_reserved",
            Self::ReturnsTooMuch => "return_exceeds_sold",
            Self::Abandoned | Self::Storage(_) | Self::Files(_) => "internal",
        }
    }

    /// One broken field.
    pub(crate) fn field(field: &str, message: impl ToString) -> Self {
        Self::Invalid(vec![Violation::new(field, message)])
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Storage(ref cause) => Self::internal(cause),
            Error::Files(ref cause) => Self::internal(cause),
            Error::Abandoned => Self::internal(&error),
            Error::Invalid(violations) => Self::invalid(violations),
            Error::StockBelowReserved { reserved } => {
                let mut failure = Self::new(error.kind(), error.reason(), &error);
                failure.metadata.insert("reserved".to_owned(), reserved.to_string());
                failure
            }
            Error::StaleVersion { current } => {
                let mut failure = Self::new(error.kind(), error.reason(), &error);
                failure.metadata.insert("current_version".to_owned(), current.to_string());
                failure
            }
            other => Self::new(other.kind(), other.reason(), &other),
        }
    }
}
