//! What a client sent, and what gateway and service together find broken in it.
use std::collections::BTreeMap;

use souk_rpc::{Failure, Kind, Violation};
use tonic::{Response, Status};

use super::Answer;
use crate::http::problem::Problem;

/// Under which name the client sent a field that has several.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentNames(BTreeMap<&'static str, &'static str>);

impl SentNames {
    pub(crate) fn note(&mut self, field: &'static str, sent: &'static str) {
        self.0.insert(field, sent);
    }

    fn of(&self, field: &str) -> Option<String> {
        self.0.get(field).map(|sent| (*sent).to_owned())
    }

    /// The service's answer, with what this gateway found broken before it asked: the client is
    /// told everything at once. With something broken the service was only asked to check.
    pub(crate) fn settle<T>(
        &self,
        own: Vec<Violation>,
        answer: Result<Response<T>, Status>,
    ) -> Answer<T> {
        if own.is_empty() {
            let renamed = |status| Problem::from(status).renamed(|field| self.of(field));
            return answer.map(Response::into_inner).map_err(renamed);
        }
        let theirs = match answer.map_err(Failure::from) {
            Ok(_) => Vec::new(),
            Err(failure) if failure.kind == Kind::Invalid => failure.violations,
            Err(failure) if is_silence(failure.kind) => Vec::new(),
            Err(failure) => return Err(failure.into()),
        };
        Err(Problem::fields(self.together(own, theirs)))
    }

    /// One sentence for each field, in the words of the client; our own come first.
    pub(crate) fn together(
        &self,
        own: Vec<Violation>,
        theirs: impl IntoIterator<Item = Violation>,
    ) -> Vec<Violation> {
        let mut broken = own;
        for Violation { field, message } in theirs {
            let field = self.of(&field).unwrap_or(field);
            if !broken.iter().any(|v| v.field == field) {
                broken.push(Violation { field, message });
            }
        }
        broken
    }
}

/// The service says nothing about the request; what the gateway has found is true without it.
pub(crate) fn is_silence(kind: Kind) -> bool {
    matches!(kind, Kind::Exhausted | Kind::Timeout | Kind::Unavailable | Kind::Internal)
}
