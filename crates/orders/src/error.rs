//! What can be wrong, in the words of the shop.
use souk_rpc::{Failure, Kind, Violation};

use crate::domain::change::Refusal;
use crate::domain::pricing::TooLarge;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("some fields break a rule")]
    Invalid(Vec<Violation>),
    #[error("log in, or send a cart's secret")]
    NoCart,
    #[error("there is no such cart")]
    CartNotFound,
    #[error("there is no such product")]
    ProductNotFound,
    #[error("it is not in the cart")]
    ItemNotFound,
    #[error("the cart is empty")]
    CartEmpty,
    #[error("the cart holds {0} lines, no more fit")]
    CartFull(usize),
    #[error("there are only {available} of it")]
    OutOfStock { available: i64 },
    #[error("the cart is in {cart}, this is in {product}")]
    CurrencyMismatch { cart: String, product: String },
    #[error("the cart changed: look at it again")]
    CartChanged { current: u64 },
    /// The order cannot be placed as the buyer saw it.
    #[error("{0}")]
    Refused(Refusal),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("there is no such order")]
    OrderNotFound,
    #[error("it was changed meanwhile: it is at version {current}")]
    StaleVersion { current: i64 },
    #[error("an order that is {state} cannot be {wanted}")]
    WrongState { state: String, wanted: &'static str, code: &'static str },
    #[error("at most {left} can be refunded")]
    RefundTooLarge { left: String },
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(&'static str, &'static str),
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("a request with this idempotency key is on its way")]
    KeyRaced,
    #[error("the signature is not the provider's")]
    BadSignature,
    #[error("give your second factor again, then repeat this within five minutes")]
    SecondFactorNeeded,
    /// A neighbour said no, or is away: passed on.
    #[error("{0}")]
    Neighbour(#[from] Failure),
    #[error("the payment provider cannot be reached")]
    ProviderAway,
    #[error("the database failed")]
    Storage(#[from] sea_orm::DbErr),
    /// A broken promise of our own: logged, never explained to callers.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) | Self::TooLarge(_) | Self::KeyReused => Kind::Invalid,
            Self::NoCart | Self::BadSignature => Kind::Unauthenticated,
            Self::CartNotFound
            | Self::ProductNotFound
            | Self::ItemNotFound
            | Self::OrderNotFound
            | Self::NotFound(_) => Kind::NotFound,
            Self::CartEmpty
            | Self::CartFull(_)
            | Self::OutOfStock { .. }
            | Self::CurrencyMismatch { .. }
            | Self::CartChanged { .. }
            | Self::Refused(_)
            | Self::WrongState { .. }
            | Self::RefundTooLarge { .. }
            | Self::Conflict(..)
            | Self::KeyRaced => Kind::Conflict,
            Self::SecondFactorNeeded => Kind::Forbidden,
            Self::StaleVersion { .. } => Kind::Stale,
            Self::Neighbour(failure) => failure.kind,
            Self::ProviderAway => Kind::Unavailable,
            Self::Storage(_) | Self::Broken(_) => Kind::Internal,
        }
    }

    /// The `code` of the HTTP contract.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Invalid(_) => "invalid_fields",
            Self::NoCart => "no_cart",
            Self::CartNotFound => "cart_not_found",
            Self::ProductNotFound => "product_not_found",
            Self::ItemNotFound => "item_not_found",
            Self::CartEmpty => "cart_empty",
            Self::CartFull(_) => "cart_full",
            Self::OutOfStock { .. } => "out_of_stock",
            Self::CurrencyMismatch { .. } => "currency_mismatch",
            Self::CartChanged { .. } => "cart_changed",
            Self::Refused(refusal) => refusal.code,
            Self::TooLarge(_) => "total_too_large",
            Self::OrderNotFound => "order_not_found",
            Self::StaleVersion { .. } => "stale_version",
            Self::WrongState { code, .. } => code,
            Self::RefundTooLarge { .. } => "refund_too_large",
            Self::NotFound(noun) => match *noun {
                "coupon" => "coupon_not_found",
                "shipping method" => "shipping_method_not_found",
                "tax rate" => "tax_rate_not_found",
                "payment method" => "payment_method_not_found",
                "payment" => "payment_not_found",
                "payment provider" => "payment_provider_not_found",
                _ => "not_found",
            },
            Self::Conflict(code, _) => code,
            Self::KeyReused => "idempotency_key_reused",
            Self::KeyRaced => "idempotency_key_in_flight",
            Self::BadSignature => "bad_signature",
            Self::SecondFactorNeeded => "second_factor_needed",
            Self::Neighbour(failure) => &failure.reason,
            Self::ProviderAway => "payment_provider_away",
            Self::Storage(_) | Self::Broken(_) => "internal",
        }
    }

    /// One broken field.
    pub(crate) fn field(field: &str, message: impl ToString) -> Self {
        Self::Invalid(vec![Violation::new(field, message)])
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let plain = Self::new(kind, error.reason(), &error);
        match error {
            Error::Storage(ref cause) => Self::internal(cause),
            Error::Broken(_) => Self::internal(&error),
            Error::Invalid(violations) => Self::invalid(violations),
            Error::Neighbour(failure) => failure,
            Error::OutOfStock { available } => plain.with("available", available),
            Error::CartChanged { current } => plain.with("cart_version", current),
            Error::StaleVersion { current } => plain.with("current_version", current),
            Error::Refused(refusal) => {
                refusal.facts.into_iter().fold(plain, |f, (name, value)| f.with(&name, value))
            }
            Error::KeyRaced => plain.retry_after(std::time::Duration::from_secs(1)),
            Error::Conflict(_, sentence) => Self { message: sentence.to_owned(), ..plain },
            _ => plain,
        }
    }
}
