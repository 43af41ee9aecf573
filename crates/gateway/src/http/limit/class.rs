//! What costs much or is worth guessing has a limit of its own.
use http::Method;

use crate::config::{Rate, RouteRates};

/// A class of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Login,
    Refresh,
    Register,
    Forgot,
    Confirm,
    Search,
    Orders,
    Transfer,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One address, or a /64 of IPv6.
    Address,
    /// A /24, or a /64 of IPv6.
    Network,
    /// Who is logged in, else the address.
    Account,
}

impl Class {
    /// The class of a request; its path has no slash at the end.
    pub(crate) fn of(method: &Method, path: &str, query: Option<&str>) -> Option<Self> {
        if method == Method::POST {
            match path {
                "/api/auth/login" | "/users/login" => return Some(Self::Login),
                "/api/auth/refresh" => return Some(Self::Refresh),
                "/api/auth/password/forgot" | "/api/me/email" | "/api/newsletter" => {
                    return Some(Self::Forgot);
                }
                "/api/newsletter/confirm"
                | "/newsletter/confirm"
                | "/api/auth/password/reset"
                | "/api/auth/register/confirm"
                | "/api/me/email/confirm" => {
                    return Some(Self::Confirm);
                }
                "/api/orders" | "/api/checkout/quote" => return Some(Self::Orders),
                _ if path.starts_with("/api/auth/login/") => return Some(Self::Login),
                _ if path.starts_with("/api/auth/register") => return Some(Self::Register),
                _ => {}
            }
        }
        if path.ends_with("/import") || path.ends_with("/export") {
            return Some(Self::Transfer);
        }
        let reads = method == Method::GET || method == Method::HEAD;
        let searches = path == "/api/search"
            || path.starts_with("/api/search/")
            || path == "/api/products" && query.is_some_and(asks_for_words);
        (reads && searches).then_some(Self::Search)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Register => "register",
            Self::Forgot => "forgot",
            Self::Confirm => "confirm",
            Self::Search => "search",
            Self::Orders => "orders",
            Self::Transfer => "transfer",
        }
    }

    /// How often, and whose requests count together; refreshes have only the limit of log-ins a minute.
    pub(crate) fn rate(self, rates: &RouteRates) -> Option<(Rate, Subject)> {
        Some(match self {
            Self::Login => (rates.login, Subject::Network),
            Self::Refresh => return None,
            Self::Register => (rates.register, Subject::Address),
            Self::Forgot => (rates.forgot, Subject::Address),
            Self::Confirm => (rates.confirm, Subject::Address),
            Self::Search => (rates.search, Subject::Account),
            Self::Orders => (rates.orders, Subject::Account),
            Self::Transfer => (rates.transfer, Subject::Account),
        })
    }
}

/// `q` with something behind it.
fn asks_for_words(query: &str) -> bool {
    query.split('&').any(|pair| pair.strip_prefix("q=").is_some_and(|words| !words.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expensive_requests_are_known() {
        let of = |method: &str, target: &str| {
            let (path, query) = match target.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (target, None),
            };
            Class::of(&method.parse().unwrap(), path, query)
        };
        for (method, target, class) in [
            ("POST", "/api/auth/login", Some(Class::Login)),
            ("POST", "/users/login", Some(Class::Login)),
            ("POST", "/api/auth/login/second-factor", Some(Class::Login)),
            ("POST", "/api/auth/refresh", Some(Class::Refresh)),
            ("POST", "/api/auth/register", Some(Class::Register)),
            ("POST", "/api/auth/register/resend", Some(Class::Register)),
            ("POST", "/api/auth/register/confirm", Some(Class::Confirm)),
            ("POST", "/api/auth/password/forgot", Some(Class::Forgot)),
            ("POST", "/api/auth/password/reset", Some(Class::Confirm)),
            ("POST", "/api/me/email", Some(Class::Forgot)),
            ("POST", "/api/newsletter", Some(Class::Forgot)),
            ("POST", "/api/newsletter/confirm", Some(Class::Confirm)),
            ("POST", "/newsletter/confirm", Some(Class::Confirm)),
            // providers of mail send many from one address
            ("POST", "/newsletter/unsubscribe", None),
            ("POST", "/api/me/email/confirm", Some(Class::Confirm)),
            ("POST", "/api/orders", Some(Class::Orders)),
            ("GET", "/api/orders", None),
            ("POST", "/api/orders/ord_1/cancel", None),
            ("POST", "/api/admin/products/import", Some(Class::Transfer)),
            ("GET", "/api/admin/products/export", Some(Class::Transfer)),
            ("GET", "/api/search?q=tea", Some(Class::Search)),
            ("GET", "/api/search/suggest?q=t", Some(Class::Search)),
            ("GET", "/api/products?limit=5&q=tea", Some(Class::Search)),
            ("GET", "/api/products?limit=5&q=", None),
            ("GET", "/api/products", None),
            ("POST", "/api/products", None),
            ("GET", "/healthz", None),
        ] {
            assert_eq!(of(method, target), class, "{method} {target}");
        }
    }
}
