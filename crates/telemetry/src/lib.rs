//! Logs, traces and metrics: set-up, and trace context in and out of headers.

mod context;
mod numbers;
mod process;
mod start;

pub use context::{is_exporting, link, set_parent, trace_id, traceparent};
pub use start::{Telemetry, render_metrics};

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

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.level is not a filter: {0}")]
    Filter(String),
    #[error("log.format is neither \"text\" nor \"json\": {0:?}")]
    Format(String),
    #[error("the trace exporter cannot be set up: {0}")]
    Exporter(String),
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
}
