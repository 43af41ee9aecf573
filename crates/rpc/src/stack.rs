//! The tower stack around every service, in both modes: catch panic → identity and method table → deadline → span and
//! metrics → load limit.
use std::sync::Arc;

use souk_auth::{MethodTable, ServiceTokens, Verifier};

/// What the stack needs to know.
#[derive(Clone)]
pub struct Stack {
    /// The service's own name: audience of service tokens.
    pub name: &'static str,
    pub methods: MethodTable,
    pub verifier: Arc<Verifier>,
    pub tokens: Arc<ServiceTokens>,
    /// Calls at once; more are refused with UNAVAILABLE. 0: 1024.
    pub concurrency: usize,
}

/// A service with its stack; cheap to clone, a tower service of `http::Request<tonic::body::Body>`.
#[derive(Clone)]
pub struct Guarded {}

impl Stack {
    pub fn guard(&self, _routes: tonic::service::Routes) -> Guarded {
        todo!()
    }
}
