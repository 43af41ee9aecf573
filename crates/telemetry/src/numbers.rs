//! Metrics: one recorder for the process, rendered for Prometheus.
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{TelemetryError, process};

/// Seconds, of every histogram whose name ends in `_seconds`.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const UPKEEP: Duration = Duration::from_secs(5);

pub(crate) struct Numbers(PrometheusHandle);

impl Numbers {
    /// Once per process; a recorder that is there already stays.
    pub(crate) fn install() -> Result<Self, TelemetryError> {
        let failed = |e: &dyn std::fmt::Display| TelemetryError::Metrics(e.to_string());
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &BUCKETS);
        let recorder = builder.map_err(|e| failed(&e))?.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_ok() {
            let kept = handle.clone();
            // samples pile up until somebody renders or this sorts them into buckets
            let upkeep = move || loop {
                thread::sleep(UPKEEP);
                kept.run_upkeep();
            };
            let named = thread::Builder::new().name("metrics-upkeep".to_owned());
            named.spawn(upkeep).map_err(|e| failed(&e))?;
            process::describe();
        }
        Ok(Self(handle))
    }

    pub(crate) fn render(&self) -> String {
        process::refresh();
        self.0.render()
    }
}
