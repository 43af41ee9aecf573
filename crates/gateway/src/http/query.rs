//! Query strings: documented parameters only, taken one by one so that everything broken is named
//! at once.
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use souk_proto::types::v1::PageRequest;
use souk_rpc::Violation;
use souk_values::{Currency, MAX_LIMIT, Money};

use super::problem::Problem;

/// The parameters of a request. Those that a handler does not take are refused by
/// [`finish`](Self::finish).
#[derive(Debug, Default)]
pub(crate) struct Query {
    given: BTreeMap<String, Vec<String>>,
    unreadable: bool,
    broken: Vec<Violation>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// No request of ours has more.
const MAX_PARAMETERS: usize = 100;
/// Parameters that may stand there more than once.
const REPEATABLE: [&str; 1] = ["tag"];

/// What holds for every query string, whoever reads it: readable, not endless, nothing twice.
pub(crate) fn check(query: &str) -> Result<(), Problem> {
    let mut names = BTreeSet::new();
    for (count, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count == MAX_PARAMETERS {
            let sentence = format!("a query string has at most {MAX_PARAMETERS} parameters");
            return Err(Problem::not_parsable(sentence));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(_)) = (decode(name), decode(value)) else {
            return Err(Problem::not_parsable("the query string is not valid: broken encoding"));
        };
        if !names.insert(name.clone()) && !REPEATABLE.contains(&name.as_str()) {
            let sentence = "a parameter is given twice in the query string";
            return Err(Problem::not_parsable(sentence));
        }
    }
    Ok(())
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let mut read = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => read.given.entry(name).or_default().push(value),
                _ => read.unreadable = true,
            }
        }
        read
    }

    pub(crate) fn breaks(&mut self, name: &str, message: impl ToString) {
        self.broken.push(Violation::new(name, message));
    }

    /// An empty value counts as not given.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let mut values = self.given.remove(name)?;
        if values.len() > 1 {
            self.unreadable = true;
        }
        values.pop().filter(|text| !text.is_empty())
    }

    /// A parameter that may repeat.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let values = self.given.remove(name).unwrap_or_default();
        values.into_iter().filter(|text| !text.is_empty()).collect()
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        must: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.breaks(name, must);
        }
        parsed
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.parsed(name, "must be true or false", |text| text.parse().ok())
    }

    /// A price filter, in the shop's currency.
    pub(crate) fn price(&mut self, name: &str, currency: Currency) -> Option<i64> {
        let text = self.text(name)?;
        match Money::parse_price(&text, currency) {
            Ok(money) => Some(money.minor),
            Err(e) => {
                self.breaks(name, e);
                None
            }
        }
    }

    /// RFC 3339 (`2026-11-21T00:00:00Z`) or a date; microseconds since the epoch, UTC.
    pub(crate) fn time(&mut self, name: &str) -> Option<i64> {
        let must = "must be a time such as 2026-11-21T08:00:00Z, or a date";
        self.parsed(name, must, |text| {
            let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
            let midnight = date.and_then(|d| d.and_hms_opt(0, 0, 0)).map(|t| t.and_utc());
            let exact = chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.to_utc());
            Some(exact.or(midnight)?.timestamp_micros()).filter(|us| *us >= 0)
        })
    }

    pub(crate) fn limit(&mut self) -> u32 {
        let must = format!("must be a whole number between 1 and {MAX_LIMIT}");
        let inside = |text: &str| text.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n));
        self.parsed("limit", &must, inside).unwrap_or_default()
    }

    /// `limit` and `cursor`.
    pub(crate) fn page(&mut self) -> PageRequest {
        PageRequest { limit: self.limit(), cursor: self.text("cursor").unwrap_or_default() }
    }

    /// To be called when all parameters are taken.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        if self.unreadable {
            return Err(Problem::not_parsable(
                "the query string is not valid: broken encoding, or a parameter given twice",
            ));
        }
        for name in self.given.keys() {
            self.broken.push(Violation::new(name.clone(), "is not a parameter of this request"));
        }
        if self.broken.is_empty() { Ok(()) } else { Err(Problem::fields(self.broken)) }
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s26_endless_and_doubled_parameters_are_refused() {
        let status = |query: &str| check(query).map_or_else(|problem| problem.status(), |()| 200);
        assert_eq!(status(""), 200);
        assert_eq!(status("tag=a&tag=b&limit=1&q=a%26b"), 200);
        let many = |count: usize| (0..count).map(|n| format!("p{n}=1&")).collect::<String>();
        assert_eq!(status(&many(100)), 200);
        for bad in [
            "limit=1&limit=2",
            "limit=1&%6cimit=2",
            "a&a",
            "%ff=1",
            "a=%ff",
            &many(101),
            &many(10_000),
        ] {
            assert_eq!(status(bad), 400, "{:.40}", bad);
        }
    }

    #[test]
    fn parameters_are_read_and_the_rest_is_refused() {
        let mut query = Query::parse("tag=a&tag=b%20c&in_stock=yes&limit=0&colour=red&q=");
        assert_eq!(query.texts("tag"), ["a", "b c"]);
        assert_eq!(query.text("q"), None);
        query.boolean("in_stock");
        query.page();
        assert_eq!(query.finish().unwrap_err().status(), 422);
        let mut twice = Query::parse("limit=1&limit=2");
        twice.page();
        assert_eq!(twice.finish().unwrap_err().status(), 400);
        assert_eq!(Query::parse("a=%ff").finish().unwrap_err().status(), 400);
    }
}
