//! Trace context without an exporter and with one that keeps spans in memory.
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::subscriber::with_default;
use tracing::{debug_span, info_span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

const REMOTE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const REMOTE_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn plain() -> impl tracing::Subscriber + for<'a> LookupSpan<'a> {
    tracing_subscriber::registry().with(EnvFilter::new("info"))
}

fn exporting() -> (impl tracing::Subscriber, SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    (plain().with(layer), provider, exporter)
}

#[test]
fn the_standard_s_example_is_read_and_written() {
    assert_eq!(Ids::parse(REMOTE).unwrap().to_string(), REMOTE);
    let later = REMOTE.replacen("00", "cc", 1) + "-what-the-future-will-be-like";
    assert_eq!(Ids::parse(&later), Ids::parse(REMOTE));
}

#[test]
fn what_is_no_traceparent_is_refused() {
    for bad in [
        String::new(),
        REMOTE.to_uppercase(),
        REMOTE.replacen("00", "ff", 1),
        format!("{REMOTE}-more"),
        REMOTE.replace(REMOTE_TRACE, &"0".repeat(32)),
        REMOTE.replace("b7ad6b7169203331", &"0".repeat(16)),
        REMOTE.replace('-', "_"),
        REMOTE[..54].to_owned(),
        REMOTE.replace("0af7", "0gf7"),
        format!(" {REMOTE}"),
    ] {
        assert_eq!(Ids::parse(&bad), None, "{bad}");
    }
}

#[test]
fn outside_of_spans_there_is_no_trace() {
    with_default(plain(), || assert_eq!((traceparent(), trace_id()), (None, None)));
}

#[test]
fn without_an_exporter_spans_below_one_another_share_a_trace() {
    with_default(plain(), || {
        let outer = info_span!("outer").entered();
        let (inner_ids, again) = info_span!("inner").in_scope(|| (traceparent(), traceparent()));
        let outer_ids = traceparent().unwrap();
        assert_eq!(inner_ids, again);
        let inner_ids = inner_ids.unwrap();
        assert_eq!(inner_ids[..35], outer_ids[..35]);
        assert_ne!(inner_ids[36..52], outer_ids[36..52]);
        assert_eq!(trace_id().unwrap(), outer_ids[3..35]);
        drop(outer);
        let other = info_span!("other").in_scope(trace_id).unwrap();
        assert_ne!(other, outer_ids[3..35]);
    });
}

#[test]
fn without_an_exporter_a_remote_parent_gives_the_trace_and_its_flags() {
    with_default(plain(), || {
        let span = info_span!("call");
        set_parent(&span, REMOTE);
        let ids = span.in_scope(|| info_span!("inner").in_scope(traceparent)).unwrap();
        assert_eq!((&ids[3..35], &ids[53..]), (REMOTE_TRACE, "01"));
        assert_ne!(&ids[36..52], "b7ad6b7169203331");
        set_parent(&info_span!("other"), "nonsense");
        link(&span, REMOTE);
    });
}

#[test]
fn a_span_that_is_filtered_out_has_no_trace_of_its_own() {
    with_default(plain(), || {
        let hidden = debug_span!("hidden");
        set_parent(&hidden, REMOTE);
        assert_eq!(hidden.in_scope(traceparent), None);
        let outer = info_span!("outer").entered();
        assert_eq!(hidden.in_scope(trace_id), trace_id());
        drop(outer);
    });
}

#[test]
fn with_an_exporter_the_ids_are_those_of_the_exported_spans() {
    let (subscriber, provider, exporter) = exporting();
    let told = with_default(subscriber, || {
        let span = info_span!("call");
        set_parent(&span, REMOTE);
        span.in_scope(traceparent).unwrap()
    });
    provider.force_flush().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let span = &spans[0];
    assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
    let exported = &span.span_context;
    assert_eq!(told, format!("00-{}-{}-01", exported.trace_id(), exported.span_id()));
    assert_eq!(exported.trace_id().to_string(), REMOTE_TRACE);
}

#[test]
fn with_an_exporter_a_link_points_to_the_cause_and_starts_a_trace_of_its_own() {
    let (subscriber, provider, exporter) = exporting();
    with_default(subscriber, || {
        let span = info_span!("event");
        link(&span, REMOTE);
        link(&span, "nonsense");
        let trace = span.in_scope(trace_id).unwrap();
        assert_ne!(trace, REMOTE_TRACE);
    });
    provider.force_flush().unwrap();
    let spans = exporter.get_finished_spans().unwrap();
    let links: Vec<_> =
        spans[0].links.iter().map(|l| l.span_context.trace_id().to_string()).collect();
    assert_eq!(links, [REMOTE_TRACE]);
}
