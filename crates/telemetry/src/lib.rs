//! Logs, traces and metrics: set-up, and trace context in and out of headers.

/// How this process tells what it does.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// `tracing` filter, "info,souk=debug".
    pub level: String,
    /// "text" or "json".
    pub format: String,
    /// OTLP collector (gRPC), "http://127.0.0.1:4317"; empty: no export.
    pub otlp_endpoint: String,
    /// 0.0 to 1.0 of new traces.
    pub sample_ratio: f64,
    /// `service.name` of the traces.
    pub service_name: String,
}

/// Keeps exporters alive; `shutdown` flushes them.
pub struct Telemetry {}

impl Telemetry {
    /// Sets the global subscriber, tracer and metrics recorder. Once per process; later calls change nothing.
    pub fn start(_settings: &TelemetrySettings) -> Result<Self, TelemetryError> {
        todo!()
    }
    /// All metrics in Prometheus' text format.
    pub fn render_metrics(&self) -> String {
        todo!()
    }
    /// Changes the log filter while running.
    pub fn set_level(&self, _filter: &str) -> Result<(), TelemetryError> {
        todo!()
    }
    pub async fn shutdown(self) {
        todo!()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.level is not a filter: {0}")]
    Filter(String),
    #[error("the trace exporter cannot be set up: {0}")]
    Exporter(String),
}

/// The W3C `traceparent` of the current span, if it is part of a trace.
pub fn traceparent() -> Option<String> {
    todo!()
}
/// Makes the span of a remote caller the parent of `span`.
pub fn set_parent(_span: &tracing::Span, _traceparent: &str) {
    todo!()
}
/// Links `span` to the trace that caused it (events: a letter retried for hours must not stretch the request's trace).
pub fn link(_span: &tracing::Span, _traceparent: &str) {
    todo!()
}
/// The trace id of the current span, 32 hexadecimal digits; for problem+json and letters.
pub fn trace_id() -> Option<String> {
    todo!()
}
