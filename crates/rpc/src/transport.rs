//! One client type for calls inside a process and between processes.
use std::sync::Arc;

use souk_auth::ServiceTokens;

use crate::Guarded;

/// Who this process is when it calls: a service's name, and the secret that proves it to other processes.
#[derive(Clone)]
pub struct Identity {
    pub name: Arc<str>,
    pub tokens: Arc<ServiceTokens>,
}

/// The `T` of every generated client: `ProductServiceClient<Transport>`. Callers cannot tell local from remote.
/// Adds the caller's identity, the user's token, request id, traceparent and deadline (default 10 s) of the
/// current [`CallContext`](crate::CallContext).
#[derive(Clone)]
pub struct Transport {}

impl Transport {
    /// Straight into a service of this process, as `from`.
    pub fn local(_to: &str, _service: Guarded, _from: Identity) -> Self {
        todo!()
    }
    /// `http://host:port`, `https://…` or `unix:///path`; connects lazily, reconnects by itself. Header `souk-target: to`
    /// tells a process that hosts several services which one is meant.
    pub fn remote(_to: &str, _url: &str, _from: Identity) -> Result<Self, tonic::transport::Error> {
        todo!()
    }
}
