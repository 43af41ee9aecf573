//! The one set-up of a process: subscriber, exporter, recorder.
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::context::EXPORTING;
use crate::numbers::Numbers;
use crate::{TelemetryError, TelemetrySettings};

const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps exporters alive; `shutdown` flushes them.
pub struct Telemetry {
    shared: Arc<Shared>,
}

struct Shared {
    filter: reload::Handle<EnvFilter, Registry>,
    traces: Mutex<Option<SdkTracerProvider>>,
    numbers: Numbers,
}

static STARTED: OnceLock<Arc<Shared>> = OnceLock::new();
/// Held during the set-up: two threads must not do it at once.
static STARTING: Mutex<()> = Mutex::new(());

impl Telemetry {
    /// Sets the global subscriber, tracer and metrics recorder. Once per process; later calls
    /// change nothing. With an OTLP endpoint it must run inside of a tokio runtime.
    pub fn start(settings: &TelemetrySettings) -> Result<Self, TelemetryError> {
        let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = STARTED.get() {
            return Ok(Self { shared: shared.clone() });
        }
        let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
        let lines = lines(&settings.format)?;
        let traces = exporter(settings)?;
        let spans = traces.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("souk"))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
        });
        let numbers = Numbers::install()?;
        EXPORTING.store(spans.is_some(), Ordering::Relaxed);
        // a test may have set a subscriber of its own: it stays
        let _ = tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init();
        let shared = Shared { filter: handle, traces: Mutex::new(traces), numbers };
        let shared = STARTED.get_or_init(|| Arc::new(shared)).clone();
        Ok(Self { shared })
    }

    /// All metrics in Prometheus' text format, with those of the process as they are now.
    pub fn render_metrics(&self) -> String {
        self.shared.numbers.render()
    }

    /// Changes the log filter while running.
    pub fn set_level(&self, level: &str) -> Result<(), TelemetryError> {
        let filter = filter(level)?;
        self.shared.filter.reload(filter).map_err(|e| TelemetryError::Filter(e.to_string()))
    }

    /// Sends what has not been sent. Waits at most as long as one export may take.
    pub async fn shutdown(self) {
        let traces = self.shared.traces.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(traces) = traces else { return };
        // it blocks until the exporting thread is done, and that thread needs the runtime
        let done =
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(EXPORT_TIMEOUT));
        if let Ok(Err(error)) = done.await {
            tracing::warn!(%error, "traces not flushed");
        }
    }
}

/// All metrics of this process in Prometheus' text format; empty before [`Telemetry::start`].
pub fn render_metrics() -> String {
    STARTED.get().map(|shared| shared.numbers.render()).unwrap_or_default()
}

/// What tells secrets is never heard, whatever the level: a span of this one holds the database's
/// URL with its password.
const SILENT: &str = "sea_orm::driver=off";

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let wrong = |e: &dyn std::fmt::Display| TelemetryError::Filter(format!("{level:?}: {e}"));
    let asked = EnvFilter::builder().parse(level).map_err(|e| wrong(&e))?;
    Ok(asked.add_directive(SILENT.parse().map_err(|e| wrong(&e))?))
}

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

fn lines<S>(format: &str) -> Result<Lines<S>, TelemetryError>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    match format {
        "text" => Ok(layer.with_ansi(std::io::stderr().is_terminal()).boxed()),
        "json" => Ok(layer.json().flatten_event(true).with_span_list(false).boxed()),
        other => Err(TelemetryError::Format(other.to_owned())),
    }
}

/// None without an endpoint: ids of traces exist all the same (see `context`), but nothing is kept
/// for export.
fn exporter(settings: &TelemetrySettings) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if settings.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let failed = |e: &dyn std::fmt::Display| TelemetryError::Exporter(e.to_string());
    tokio::runtime::Handle::try_current().map_err(|e| failed(&e))?;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.otlp_endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|e| failed(&e))?;
    let ratio = Sampler::TraceIdRatioBased(settings.sample_ratio);
    let resource = Resource::builder().with_service_name(settings.service_name.clone()).build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(ratio)))
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}
