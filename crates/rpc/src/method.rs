//! One gRPC method of a guarded service: who may call it, its span, its metrics.
use std::sync::OnceLock;
use std::time::Instant;

use metrics::{Counter, Histogram, counter, histogram};
use souk_auth::Rule;
use tonic::Code;
use tracing::Span;
use tracing::field::Empty;

pub(crate) struct Method {
    /// None: anybody may ask (health).
    pub(crate) rule: Option<Rule>,
    path: &'static str,
    service: &'static str,
    name: &'static str,
    /// Kept, because to look one up for every call would cost more than to count.
    requests: [OnceLock<Counter>; CODES.len()],
    duration: OnceLock<Histogram>,
}

/// By number, as in the protocol's own spelling.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Method {
    /// `path` as in the protocol: `/package.Service/Method`.
    pub(crate) fn new(path: &'static str, rule: Option<Rule>) -> Self {
        let (service, name) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        let (requests, duration) = Default::default();
        Self { rule, path, service, name, requests, duration }
    }

    /// As in the protocol.
    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// The service's full name, `package.Service`.
    pub(crate) fn service(&self) -> &'static str {
        self.service
    }

    /// OpenTelemetry's names for a gRPC call; log lines carry only those that say something.
    pub(crate) fn span(&self) -> Span {
        let span = tracing::info_span!(
            "rpc",
            rpc.service = self.service,
            rpc.method = self.name,
            rpc.grpc.status_code = Empty,
            rpc.system = Empty,
            otel.name = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
        );
        if souk_telemetry::is_exporting() {
            span.record("rpc.system", "grpc");
            span.record("otel.name", &self.path[1..]);
            span.record("otel.kind", "server");
        }
        span
    }

    /// To be called once for each call, when it has ended.
    pub(crate) fn count(&self, code: Code, started: Instant) {
        let number = code as usize;
        let requests = self.requests[number].get_or_init(|| {
            counter!("rpc_server_requests_total",
                "service" => self.service, "method" => self.name, "code" => CODES[number])
        });
        requests.increment(1);
        let duration = self.duration.get_or_init(|| {
            histogram!("rpc_server_duration_seconds",
                "service" => self.service, "method" => self.name)
        });
        duration.record(started.elapsed());
    }
}

/// Whether it is the server's fault, as OpenTelemetry sees it.
pub(crate) fn is_fault(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_name() {
        for number in 0..17 {
            let spelled = format!("{:?}", Code::from_i32(number)).to_uppercase();
            assert_eq!(CODES[number as usize].replace('_', ""), spelled);
        }
    }

    #[test]
    fn a_path_is_a_service_and_a_method() {
        let method = Method::new("/souk.catalog.v1.ProductService/GetProduct", None);
        assert_eq!((method.service, method.name), ("souk.catalog.v1.ProductService", "GetProduct"));
    }
}
