//! What travels beside a call within a task: the caller's token, the request id, the client's
//! network, the deadline.
//! Outgoing calls of [`Transport`](crate::Transport) take it from here, so that deadlines and
//! identity pass on by themselves.
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_auth::Caller;

tokio::task_local! {
    static CURRENT: Arc<CallContext>;
}

/// Set by the gateway for a request and by the stack for a call.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    pub caller: Caller,
    /// The access token as received, to be passed on and verified again by the next service.
    pub token: Option<Arc<str>>,
    pub request_id: Option<Arc<str>>,
    /// The network of the person at the other end, as the gateway saw it; `None`: not known.
    pub client: Option<Arc<str>>,
    pub deadline: Option<Instant>,
}

/// Runs `future` with `context` as the current one. A task that is spawned inside starts without
/// one.
pub async fn scope<F: Future>(context: CallContext, future: F) -> F::Output {
    scope_shared(Arc::new(context), future).await
}

/// The current context; empty outside of any.
pub fn current() -> CallContext {
    shared().map(|context| (*context).clone()).unwrap_or_default()
}

/// The verified caller of the gRPC call that is being handled.
pub fn caller<T>(request: &tonic::Request<T>) -> Caller {
    request.extensions().get().cloned().unwrap_or_default()
}

/// Time left, if there is a deadline.
pub fn deadline() -> Option<Duration> {
    let deadline = shared()?.deadline?;
    Some(deadline.saturating_duration_since(Instant::now()))
}

pub(crate) fn shared() -> Option<Arc<CallContext>> {
    CURRENT.try_with(Arc::clone).ok()
}

pub(crate) fn scope_shared<F: Future>(
    context: Arc<CallContext>,
    future: F,
) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, future)
}

/// For one poll of a body that outlives its handler.
pub(crate) fn enter<R>(context: &Arc<CallContext>, run: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(context.clone(), run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_context_holds_inside_of_its_scope_only() {
        let context = CallContext {
            request_id: Some("r1".into()),
            deadline: Some(Instant::now() + Duration::from_secs(60)),
            ..CallContext::default()
        };
        scope(context, async {
            assert_eq!(current().request_id.as_deref(), Some("r1"));
            let left = deadline().unwrap();
            assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(50));
        })
        .await;
        assert!(current().request_id.is_none() && deadline().is_none());
    }

    #[tokio::test]
    async fn a_deadline_that_has_passed_leaves_no_time() {
        let context = CallContext { deadline: Some(Instant::now()), ..CallContext::default() };
        assert_eq!(scope(context, async { deadline() }).await, Some(Duration::ZERO));
    }
}
