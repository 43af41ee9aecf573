//! The tower stack around every service, in both modes: catch panic → identity and method table →
//! deadline → span and metrics → load limit.
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt;
use http::{Request, Response};
use souk_auth::{Caller, MethodTable, Refusal, Rule, ServiceTokens, TokenError, Verifier};
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;
use tracing::Instrument;

use crate::arrival::{self, Arrival, Origin};
use crate::body::{GuardedBody, Running, code_of, panicked};
use crate::context::{self, CallContext};
use crate::method::Method;
use crate::{Failure, Kind, timeout};

const CONCURRENCY: usize = 1024;
const HEALTH: [&str; 2] = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

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
    /// Who is told of refused calls.
    pub refusals: Option<Arc<dyn Refusals>>,
}

/// Told of every call that was refused for who made it; never for load. Must not wait.
pub trait Refusals: Send + Sync {
    fn refused(&self, call: &Refused<'_>);
}

/// A refused call.
#[derive(Debug)]
pub struct Refused<'a> {
    /// `/package.Service/Method`; of a method that is not listed only the service.
    pub method: &'a str,
    /// As far as it is known: an identity that was not proven is not in it.
    pub caller: &'a Caller,
    /// The client's network, if the gateway called.
    pub client: Option<&'a str>,
    pub request_id: Option<&'a str>,
    /// The reason that the caller was told.
    pub reason: &'a str,
}

/// A service with its stack; cheap to clone, a tower service of `http::Request<tonic::body::Body>`.
#[derive(Clone)]
pub struct Guarded {
    shared: Arc<Shared>,
    routes: Routes,
}

struct Shared {
    name: &'static str,
    methods: HashMap<&'static str, Arc<Method>>,
    verifier: Arc<Verifier>,
    tokens: Arc<ServiceTokens>,
    load: Arc<Semaphore>,
    refusals: Option<Arc<dyn Refusals>>,
}

impl Stack {
    /// Puts the stack around the service. The standard health service is added: it needs no entry
    /// in the table.
    pub fn guard(&self, routes: Routes) -> Guarded {
        let (_, health) = tonic_health::server::health_reporter();
        let listed = self.methods.iter().map(|(path, rule)| (*path, Some(*rule)));
        let methods = listed.chain(HEALTH.map(|path| (path, None)));
        let methods = methods.map(|(path, rule)| (path, Arc::new(Method::new(path, rule))));
        let concurrency = if self.concurrency == 0 { CONCURRENCY } else { self.concurrency };
        let shared = Shared {
            name: self.name,
            methods: methods.collect(),
            verifier: self.verifier.clone(),
            tokens: self.tokens.clone(),
            load: Arc::new(Semaphore::new(concurrency)),
            refusals: self.refusals.clone(),
        };
        Guarded { shared: Arc::new(shared), routes: routes.add_service(health).prepare() }
    }
}

impl Guarded {
    /// Whether the method table has this path.
    pub(crate) fn lists(&self, path: &str) -> bool {
        self.shared.methods.get(path).is_some_and(|method| method.rule.is_some())
    }

    /// Runs one call; what goes wrong is a gRPC status in the answer.
    pub(crate) async fn answer(
        self,
        mut arrival: Arrival,
        request: Request<Body>,
    ) -> Response<Body> {
        let started = Instant::now();
        let Some(method) = self.shared.methods.get(request.uri().path()).cloned() else {
            return self.shared.refuse_unlisted(&arrival, request.uri().path()).into_http();
        };
        let span = method.span();
        if let Some(traceparent) = &arrival.traceparent {
            souk_telemetry::set_parent(&span, traceparent);
        }
        let mut running = Running::new(method.clone(), span.clone(), started);
        // our own clients always say one
        arrival.deadline = arrival.deadline.or_else(|| timeout::after(timeout::DEFAULT));
        let deadline = arrival.deadline;
        let admitted = self.admitted(&method, arrival, request).instrument(span);
        let outcome = match deadline {
            None => admitted.await,
            Some(at) if at <= started => Err(late()),
            Some(at) => {
                let in_time = tokio::time::timeout_at(at.into(), admitted).await;
                in_time.unwrap_or_else(|_| Err(late()))
            }
        };
        match outcome {
            Ok((response, context, _permit)) => match code_of(response.headers()) {
                // no body follows
                Some(code) => {
                    running.end(code);
                    response
                }
                None => {
                    response.map(|body| Body::new(GuardedBody { body, context, running, _permit }))
                }
            },
            Err(status) => {
                running.end(status.code());
                status.into_http()
            }
        }
    }

    async fn admitted(
        mut self,
        method: &Method,
        mut arrival: Arrival,
        mut request: Request<Body>,
    ) -> Result<Admitted, Status> {
        let caller = match method.rule {
            None => Caller::default(),
            Some(rule) => self.shared.identify(method, rule, &mut arrival).await?,
        };
        let permit = self.shared.load.clone().try_acquire_owned().map_err(|_| overloaded())?;
        request.extensions_mut().insert(caller.clone());
        let context = Arc::new(CallContext {
            caller,
            token: arrival.token,
            request_id: arrival.request_id,
            client: arrival.client,
            deadline: arrival.deadline,
        });
        let handler = async { self.routes.call(request).await };
        let handler = context::scope_shared(context.clone(), handler);
        match AssertUnwindSafe(handler).catch_unwind().await {
            Ok(Ok(response)) => Ok((response, context, permit)),
            Ok(Err(never)) => match never {},
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    }
}

type Admitted = (Response<Body>, Arc<CallContext>, tokio::sync::OwnedSemaphorePermit);

impl Shared {
    /// Who calls, if they may. Takes the client's network out of the arrival unless the gateway
    /// said it.
    async fn identify(
        &self,
        method: &Method,
        rule: Rule,
        arrival: &mut Arrival,
    ) -> Result<Caller, Status> {
        let client = arrival.client.take();
        let mut caller = Caller::default();
        let (failure, client) = match self.service(arrival) {
            Err(failure) => (failure, None),
            Ok(name) => {
                let client = client.filter(|_| &*name == arrival::GATEWAY);
                caller.service = Some(name);
                match self.person(&mut caller, rule, arrival.token.as_deref()).await {
                    Ok(()) => {
                        arrival.client = client;
                        return Ok(caller);
                    }
                    Err(failure) => (failure, client),
                }
            }
        };
        // keys that cannot be had are nobody's fault
        if failure.kind != Kind::Unavailable {
            self.tell(&Refused {
                method: method.path(),
                caller: &caller,
                client: client.as_deref(),
                request_id: arrival.request_id.as_deref(),
                reason: &failure.reason,
            });
        }
        Err(failure.into())
    }

    /// Who calls: by the token and, where callers show a certificate, by the certificate, too.
    fn service(&self, arrival: &Arrival) -> Result<Arc<str>, Failure> {
        match &arrival.origin {
            Origin::Known(name) => Ok(name.clone()),
            Origin::Claimed(token) => {
                let name = self.tokens.verify(token, self.name);
                let name = name.map_err(|_| stranger("bad service token"))?;
                match &arrival.names {
                    Some(names) if !names.iter().any(|named| **named == *name) => {
                        Err(stranger("the certificate does not name the service of the token"))
                    }
                    _ => Ok(name),
                }
            }
            Origin::Nobody => Err(stranger("no service token")),
        }
    }

    /// Adds the user to the caller, and asks the rule.
    async fn person(
        &self,
        caller: &mut Caller,
        rule: Rule,
        token: Option<&str>,
    ) -> Result<(), Failure> {
        if let Some(token) = token {
            caller.user = Some(self.verifier.verify(token).await.map_err(token_refused)?);
        }
        rule.check(caller, self.verifier.now()).map_err(|refusal| {
            tracing::info!(caller = caller.actor(), ?refusal, "call refused");
            refused(refusal)
        })
    }

    fn tell(&self, call: &Refused<'_>) {
        if let Some(refusals) = &self.refusals {
            refusals.refused(call);
        }
    }

    /// PERMISSION_DENIED for a method of a known service that nobody put into the table, else
    /// UNIMPLEMENTED.
    fn refuse_unlisted(&self, arrival: &Arrival, path: &str) -> Status {
        metrics::counter!("rpc_server_unlisted_total", "service" => self.name).increment(1);
        let service = path.trim_start_matches('/').split('/').next();
        if self.methods.values().any(|method| Some(method.service()) == service) {
            tracing::warn!(service = self.name, ?path, "refused a method that is not listed");
            let reason = "method_not_listed";
            self.tell(&Refused {
                // the rest of the path is the caller's own words
                method: service.unwrap_or_default(),
                caller: &Caller { service: self.service(arrival).ok(), user: None },
                client: None,
                request_id: arrival.request_id.as_deref(),
                reason,
            });
            Failure::new(Kind::Forbidden, reason, "this method is not open").into()
        } else {
            tracing::debug!(service = self.name, ?path, "refused an unknown method");
            Status::unimplemented("no such method")
        }
    }
}

fn stranger(why: &str) -> Failure {
    tracing::warn!(why, "refused an unknown caller");
    Failure::new(Kind::Unauthenticated, "unknown_service", "the calling service is not known")
}

fn token_refused(error: TokenError) -> Failure {
    match error {
        TokenError::Invalid => Failure::new(Kind::Unauthenticated, "invalid_token", error),
        TokenError::Unavailable => Failure::new(Kind::Unavailable, "keys_unavailable", error),
    }
}

fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Unauthenticated => {
            Failure::new(Kind::Unauthenticated, "login_required", "this needs a login")
        }
        Refusal::Forbidden => Failure::new(Kind::Forbidden, "forbidden", "you may not do this"),
        Refusal::Stale => {
            let sentence = "give your second factor again, then repeat this within five minutes";
            Failure::new(Kind::Forbidden, "second_factor_needed", sentence)
        }
        Refusal::NotEnrolled => {
            let sentence = "this account needs a second factor: enrol one first";
            Failure::new(Kind::Forbidden, "second_factor_enrolment_required", sentence)
        }
        Refusal::NotByKey => {
            let sentence = "an API key cannot do this, a person must";
            Failure::new(Kind::Forbidden, "not_by_api_key", sentence)
        }
    }
}

fn overloaded() -> Status {
    let failure = Failure::new(Kind::Unavailable, "overloaded", "too many calls at the moment");
    failure.retry_after(Duration::from_secs(1)).into()
}

/// The deadline has passed.
pub(crate) fn late() -> Status {
    Failure::new(Kind::Timeout, "timeout", "the answer took too long").into()
}

impl Service<Request<Body>> for Guarded {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// A call from the network: identity comes from its headers.
    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let arrival = Arrival::from_headers(request.headers_mut());
        let call = self.clone().answer(arrival, request);
        Box::pin(async move { Ok(call.await) })
    }
}
