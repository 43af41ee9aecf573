//! The set-up of a process; one test, because it can be set up only once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail like this")]
use souk_telemetry::{Telemetry, TelemetryError, TelemetrySettings, trace_id, traceparent};

fn settings() -> TelemetrySettings {
    TelemetrySettings {
        level: "info".into(),
        format: "text".into(),
        otlp_endpoint: String::new(),
        sample_ratio: 1.0,
        service_name: "souk".into(),
    }
}

fn refused(change: impl FnOnce(&mut TelemetrySettings)) -> String {
    let mut settings = settings();
    change(&mut settings);
    match Telemetry::start(&settings) {
        Ok(_) => panic!("taken"),
        Err(error) => error.to_string(),
    }
}

fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.split_whitespace().next() == Some(series))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_process_is_set_up_once_and_tells_what_it_does() {
    // what cannot work is refused before anything is set
    assert!(refused(|s| s.level = "souk=loud".into()).starts_with("log.level is not a filter: "));
    assert!(refused(|s| s.format = "xml".into()).contains("\"xml\""));
    assert!(refused(|s| s.otlp_endpoint = "http://127.0.0.1:4317".into()).contains("exporter"));

    let telemetry = Telemetry::start(&settings()).unwrap();
    let again =
        Telemetry::start(&TelemetrySettings { level: "trace".into(), ..settings() }).unwrap();

    // the level, while running
    let is_seen = || !tracing::debug_span!("deep").is_disabled();
    assert!(!is_seen());
    again.set_level("info,it=debug").unwrap();
    assert!(is_seen());
    assert!(matches!(telemetry.set_level("=="), Err(TelemetryError::Filter(_))));
    telemetry.set_level("info").unwrap();
    assert!(!is_seen());

    // ids exist without an exporter
    assert!(!souk_telemetry::is_exporting());
    let span = tracing::info_span!("request").entered();
    assert_eq!(trace_id().unwrap(), traceparent().unwrap()[3..35]);
    drop(span);

    // metrics
    metrics::counter!("letters_total", "kind" => "digest").increment(3);
    metrics::histogram!("letter_duration_seconds").record(0.003);
    let text = telemetry.render_metrics();
    assert_eq!(value(&text, "letters_total{kind=\"digest\"}"), Some(3.0), "{text}");
    for (le, count) in [("0.0005", 0.0), ("0.0025", 0.0), ("0.005", 1.0), ("10", 1.0)] {
        let series = format!("letter_duration_seconds_bucket{{le=\"{le}\"}}");
        assert_eq!(value(&text, &series), Some(count), "{series}\n{text}");
    }
    assert!(value(&text, "process_resident_memory_bytes").unwrap() > 1_000_000.0);
    assert!(value(&text, "process_open_fds").unwrap() >= 3.0);
    assert!(value(&text, "process_cpu_seconds_total").is_some());

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(again.shutdown());
    runtime.block_on(telemetry.shutdown());
}
