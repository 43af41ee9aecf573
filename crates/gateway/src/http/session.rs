//! Who asks: the access token of the request, checked once at the edge and passed on to the
//! services, which check again.
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use souk_auth::{Permission, TokenError, User, Verifier};

use super::problem::Problem;

/// A checked token, put into the request's extensions by the edge.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) user: Arc<User>,
    pub(crate) token: Arc<str>,
}

/// The session that the headers claim; `None`: anonymous.
pub(crate) async fn read(
    headers: &HeaderMap,
    verifier: &Verifier,
) -> Result<Option<Session>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let invalid =
        || Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", "the access token is not valid");
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(invalid());
    }
    match verifier.verify(token).await {
        Ok(user) => Ok(Some(Session { user, token: token.into() })),
        Err(TokenError::Invalid) => Err(invalid()),
        Err(TokenError::Unavailable) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "tokens cannot be checked at the moment",
        )),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let sentence = "log in and send the access token as Authorization: Bearer";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence)
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl Session {
    fn require(&self, permission: Permission) -> Result<(), Problem> {
        if self.user.permissions.contains(&permission) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "you may not do this"))
    }
}

macro_rules! guard {
    ($($(#[$doc:meta])* $name:ident: $permission:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Stands before the body in a handler's arguments, so that who may not is told so whatever
        /// they sent.
        pub(crate) struct $name;

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state);
                session.await?.require(Permission::$permission)?;
                Ok(Self)
            }
        }
    )*};
}

guard! {
    /// Somebody who may change products.
    ProductsWriter: ProductsWrite;
    /// Somebody who may see accounts.
    UsersReader: UsersRead;
    /// Somebody who may change accounts.
    UsersWriter: UsersWrite;
    /// Somebody who may read the mail ledger.
    LedgerReader: NotificationsRead;
    /// Somebody who may read figures.
    StatsReader: StatsRead;
    /// Somebody who may see jobs, events and dead letters.
    OperationsReader: OperationsRead;
    /// Somebody who may act on jobs and dead letters.
    OperationsWriter: OperationsWrite;
    /// Somebody who may see stock.
    StockReader: StockRead;
    /// Somebody who may move stock.
    StockWriter: StockWrite;
    /// Somebody who may see everybody's orders.
    OrdersReader: OrdersRead;
    /// Somebody who may work on orders.
    OrdersWriter: OrdersWrite;
    /// Somebody who may see what decides prices.
    ShopReader: ShopRead;
    /// Somebody who may change what decides prices.
    ShopWriter: ShopWrite;
}
