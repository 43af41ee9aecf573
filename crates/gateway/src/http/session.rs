//! Who asks: the access token of the request, checked once at the edge and passed on to the
//! services, which check again. Programs may show an API key instead, browsers a cookie: accounts
//! gives an access token for them.
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use souk_auth::{Permission, TokenError, User};
use souk_proto::accounts::v1::{ExchangeApiKeyRequest, ResumeSessionRequest};
use souk_rpc::CallContext;

use super::exchange::{Held, Shown};
use super::problem::Problem;
use super::{Site, csrf, form};
use crate::revocations::{moves_money, unconfirmed};

/// A checked token, put into the request's extensions by the edge.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) user: Arc<User>,
    pub(crate) token: Arc<str>,
    /// A program that showed an API key; its session's id is the key's.
    pub(crate) by_key: bool,
    /// It is known that the session goes on, or was a moment ago.
    pub(crate) confirmed: bool,
    /// Of a browser that showed its cookie.
    pub(crate) visit: Option<Visit>,
}

/// A browser's session.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) held: Arc<Held>,
    pub(crate) shown: Shown,
}

/// What of a request says who asks.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// The client's address.
    pub(crate) client: IpAddr,
}

/// Tells whether somebody is logged in: never a 401.
const WHO: &str = "/api/auth/session";
/// They act by what is in the body or the link, not by the cookie.
const WITHOUT_COOKIE: [&str; 4] =
    ["/api/auth/login", "/users/login", "/newsletter/confirm", "/newsletter/unsubscribe"];
/// What API keys begin with, and how long they are.
const KEY: (&str, usize) = ("souk_", 54);

/// The session that the request claims; `None`: anonymous.
pub(crate) async fn read(site: &Site, head: Head<'_>) -> Result<Option<Session>, Problem> {
    let session = match head.headers.get(header::AUTHORIZATION) {
        None => visit(site, &head).await?,
        Some(value) => match bearer(site, value, head.client).await {
            Ok(session) => Some(session),
            Err(problem) if problem.status() == 401 && head.path == WHO => None,
            Err(problem) => return Err(problem),
        },
    };
    if moves_money(head.method, head.path)
        && let Some(session) = &session
    {
        session.certain()?;
    }
    Ok(session)
}

async fn bearer(site: &Site, value: &HeaderValue, client: IpAddr) -> Result<Session, Problem> {
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(invalid)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(invalid());
    }
    if token.starts_with(KEY.0) {
        return api_key(site, token, client).await;
    }
    let user = verify(site, token).await?;
    let confirmed = site.revocations.is_trusted();
    Ok(Session { user, token: token.into(), by_key: false, confirmed, visit: None })
}

async fn verify(site: &Site, token: &str) -> Result<Arc<User>, Problem> {
    site.revocations.known().await?;
    site.verifier.verify(token).await.map_err(|error| match error {
        TokenError::Invalid => invalid(),
        TokenError::Unavailable => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "tokens cannot be checked at the moment",
        ),
    })
}

fn invalid() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", "the access token is not valid")
}

async fn api_key(site: &Site, key: &str, client: IpAddr) -> Result<Session, Problem> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if key.len() != KEY.1 || !key.bytes().all(letter) {
        let sentence = "the API key is not valid";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "invalid_api_key", sentence));
    }
    let shown = Shown::api_key(key);
    let ask = || async {
        let address = client.to_canonical().to_string();
        let request = ExchangeApiKeyRequest { key: key.to_owned(), address };
        site.clients.api_keys.clone().exchange_api_key(request).await
    };
    let (held, user) = match exchanged(site, shown, site.exchange.get(shown, ask())).await? {
        Some(found) => found,
        None => again(site, shown, ask()).await?,
    };
    let (token, confirmed) = (held.token.clone(), site.revocations.is_trusted());
    Ok(Session { user, token, by_key: true, confirmed, visit: None })
}

/// The session of the cookie. One that is over makes an anonymous request, not a refused one: the
/// browser sends it by itself.
async fn visit(site: &Site, head: &Head<'_>) -> Result<Option<Session>, Problem> {
    let Some(secret) = site.cookies.session(head.headers) else { return Ok(None) };
    let shown = Shown::session(secret);
    let ask = || async {
        let address = head.client.to_canonical().to_string();
        let request = ResumeSessionRequest { session_secret: secret.to_owned(), address };
        site.clients.sessions.clone().resume_session(request).await
    };
    let found = match exchanged(site, shown, site.exchange.get(shown, ask())).await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => again(site, shown, ask()).await,
        Err(problem) => Err(problem),
    };
    let (held, user) = match found {
        Ok(found) => found,
        Err(problem) if [401, 403].contains(&problem.status()) => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let meant = csrf::is_safe(head.method)
        || WITHOUT_COOKIE.contains(&head.path)
        || site.origin.made(head.headers) && csrf::is_shown(head.headers, secret);
    if !meant {
        return Err(csrf::refused());
    }
    let (token, confirmed) = (held.token.clone(), site.revocations.is_trusted());
    let visit = Some(Visit { held, shown });
    Ok(Some(Session { user, token, by_key: false, confirmed, visit }))
}

type Found = (Arc<Held>, Arc<User>);

/// Holds what is remembered against the keys and the revocations; `None`: it was good once.
async fn exchanged(
    site: &Site,
    shown: Shown,
    held: impl Future<Output = Result<Arc<Held>, Problem>>,
) -> Result<Option<Found>, Problem> {
    let held = held.await?;
    match verify(site, &held.token).await {
        Ok(user) => Ok(Some((held, user))),
        Err(problem) if problem.status() == 401 => {
            site.exchange.forget(shown).await;
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

/// What was remembered is revoked or too old: accounts knows what holds now.
async fn again<T: Into<Held>>(
    site: &Site,
    shown: Shown,
    ask: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<Found, Problem> {
    let found = exchanged(site, shown, site.exchange.get(shown, ask)).await?;
    found.ok_or_else(invalid)
}

/// Runs a call without the user's token: what it is about stands in its request. Who must enrol a
/// second factor may log in and out like everybody.
pub(crate) fn as_nobody<F: Future>(call: F) -> impl Future<Output = F::Output> {
    souk_rpc::scope(CallContext { token: None, ..souk_rpc::current() }, call)
}

/// The layer: what was answered to somebody is for nobody else, and a browser forgets the cookie of
/// a session that is over.
pub(crate) async fn keep_private(
    State(site): State<Site>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let headers = request.headers();
    let over = session.is_none()
        && !form::is_health(request.uri().path())
        && !headers.contains_key(header::AUTHORIZATION)
        && site.cookies.session(headers).is_some();
    let mut response = next.run(request).await;
    let status = response.status();
    let headers = response.headers_mut();
    if over
        && !site.cookies.is_set_in(headers)
        && let Some(forget) = site.cookies.forget_session()
    {
        headers.append(header::SET_COOKIE, forget);
    }
    let Some(session) = session else { return response };
    let said = headers.get(header::CACHE_CONTROL).map(HeaderValue::as_bytes);
    let for_all = said.is_some_and(|said| said.starts_with(b"public"));
    if said.is_none() || session.visit.is_some() && !for_all {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    if let Some(visit) = &session.visit
        && [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
    {
        // rights may have grown meanwhile at another gateway: a second factor was given there
        site.exchange.forget(visit.shown).await;
    }
    response
}

/// Somebody who is logged in themselves, perhaps only as far as to enrol the second factor that their
/// account must have.
pub(crate) struct Enrolling(pub(crate) Session);

/// The session of the request, a person's or a program's.
fn claimed(parts: &Parts) -> Result<Session, Problem> {
    parts.extensions.get::<Session>().cloned().ok_or_else(|| {
        let sentence = "log in and send the access token as Authorization: Bearer";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", sentence)
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Enrolling {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        claimed(parts)?.in_person().map(Self)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Enrolling {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Session>().cloned().map(Self))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = <Enrolling as FromRequestParts<S>>::from_request_parts(parts, state);
        found.await?.0.enrolled()
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Problem> {
        parts.extensions.get::<Self>().cloned().map(Self::enrolled).transpose()
    }
}

/// Who buys: a person, known or not; no program.
pub(crate) struct Buyer;

impl<S: Send + Sync> FromRequestParts<S> for Buyer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let session = parts.extensions.get::<Session>().cloned();
        session.map(Session::in_person).transpose()?;
        Ok(Self)
    }
}

impl Session {
    /// Refuses programs: an API key acts within its scopes, and no scope is for what is its owner's own.
    fn in_person(self) -> Result<Self, Problem> {
        if !self.by_key {
            return Ok(self);
        }
        let sentence = "an API key may not do this for its owner: log in";
        Err(Problem::new(StatusCode::FORBIDDEN, "not_by_api_key", sentence))
    }

    /// Refuses who must enrol a second factor before anything else.
    fn enrolled(self) -> Result<Self, Problem> {
        if !self.user.enrol_only {
            return Ok(self);
        }
        let sentence = "this account needs a second factor: enrol one first";
        Err(Problem::new(StatusCode::FORBIDDEN, "second_factor_enrolment_required", sentence))
    }

    fn require(&self, permission: Permission) -> Result<(), Problem> {
        if !self.user.permissions.contains(&permission) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "you may not do this"));
        }
        self.certain()
    }

    /// Refuses, for power and money, who may have been logged out without our knowing.
    fn certain(&self) -> Result<(), Problem> {
        if self.confirmed { Ok(()) } else { Err(unconfirmed()) }
    }
}

/// Somebody whose work begins jobs, or who may see or end everybody's: the service knows which are
/// theirs.
pub(crate) struct JobsReader;

impl<S: Send + Sync> FromRequestParts<S> for JobsReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        use Permission::{OperationsRead, OperationsWrite, ProductsWrite, UsersWrite};
        let session = claimed(parts)?.enrolled()?;
        let mut some = [OperationsRead, OperationsWrite, ProductsWrite, UsersWrite].into_iter();
        let held = some.find(|permission| session.user.permissions.contains(permission));
        session.require(held.unwrap_or(OperationsRead))?;
        Ok(Self)
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
            async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
                claimed(parts)?.enrolled()?.require(Permission::$permission)?;
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
    /// Somebody who may read the security log and the audit.
    AuditReader: AuditRead;
    /// Somebody who may change roles.
    RolesWriter: RolesWrite;
}

#[cfg(test)]
mod tests;
