//! What travels beside a call within a task: the caller's token, the request id, the deadline. Outgoing calls of
//! [`Transport`](crate::Transport) take it from here, so that deadlines and identity pass on by themselves.
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_auth::Caller;

/// Set by the gateway for a request and by the stack for a call.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    pub caller: Caller,
    /// The access token as received, to be passed on and verified again by the next service.
    pub token: Option<Arc<str>>,
    pub request_id: Option<Arc<str>>,
    pub deadline: Option<Instant>,
}

/// Runs `future` with `context` as the current one.
pub async fn scope<F: Future>(_context: CallContext, _future: F) -> F::Output {
    todo!()
}

/// The current context; empty outside of any.
pub fn current() -> CallContext {
    todo!()
}

/// The verified caller of the gRPC call that is being handled.
pub fn caller<T>(_request: &tonic::Request<T>) -> Caller {
    todo!()
}

/// Time left, if there is a deadline.
pub fn deadline() -> Option<Duration> {
    todo!()
}
