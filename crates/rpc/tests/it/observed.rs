//! What a call leaves behind: one log line for a panic, counts and durations, a trace that goes on.
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use souk_proto::catalog::v1::ExportProductsRequest;
use souk_testkit::log::Log;
use tonic::Request;
use tracing::Instrument;

use crate::house::{House, WAYS, Way, ask, known, until};

#[tokio::test]
async fn a_panic_is_logged_once_with_the_id_that_the_caller_gets() {
    let (log, _listening) = Log::listen();
    let house = House::new().await;
    for way in WAYS {
        let status = house.categories(way).create_category(ask("panic")).await.unwrap_err();
        let id = &souk_rpc::Failure::from(status).metadata["id"];
        assert_eq!(log.lines_with(&[id]), 1, "{way:?}");
    }
    assert_eq!(log.lines_with(&["handler panicked"]), 3);
    // and it says where
    assert_eq!(log.lines_with(&["handler panicked", "rpc.method=\"CreateCategory\""]), 3);
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let house = House::new().await;
    let mut client = house.categories(Way::Local);
    for path in ["facts", "facts", "phones", "panic"] {
        let _ = client.create_category(ask(path)).await;
    }
    let mut late = Request::new(ask("slow"));
    late.set_timeout(Duration::from_millis(1));
    assert!(client.create_category(late).await.is_err());
    // a caller that goes away in the middle of a stream
    let export = house.transfers(Way::Local);
    let call = { export }.export_products(ExportProductsRequest::default()).await;
    let mut stream = call.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);

    let text = handle.render();
    let count = |service: &str, method: &str, code: &str| {
        let labels =
            format!("service=\"souk.catalog.v1.{service}\",method=\"{method}\",code=\"{code}\"");
        let series = format!("rpc_server_requests_total{{{labels}}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse::<u64>().ok())
    };
    for (code, expected) in [("OK", 2), ("NOT_FOUND", 1), ("INTERNAL", 1), ("DEADLINE_EXCEEDED", 1)]
    {
        assert_eq!(count("CategoryService", "CreateCategory", code), Some(expected), "{text}");
    }
    assert_eq!(count("TransferService", "ExportProducts", "CANCELLED"), Some(1), "{text}");
    let durations = "rpc_server_duration_seconds_count\
        {service=\"souk.catalog.v1.CategoryService\",method=\"CreateCategory\"} 5";
    assert!(text.lines().any(|line| line == durations), "{text}");
}

#[tokio::test]
async fn one_trace_goes_through_all_hops() {
    let (_log, _listening) = Log::listen();
    let house = House::new().await;
    for way in WAYS {
        let span = tracing::info_span!("request");
        let trace = span.in_scope(souk_telemetry::trace_id).unwrap();
        let front = house.transport(way, "front");
        let mut client =
            souk_proto::catalog::v1::category_service_client::CategoryServiceClient::new(front);
        let answer = client.create_category(ask("hop")).instrument(span).await;
        assert_eq!(known(answer)["trace"], trace, "{way:?}");
    }
}

#[tokio::test]
async fn a_stranger_s_call_does_not_stay_in_the_count_of_running_ones() {
    let house = House::with(1, Duration::from_secs(1)).await;
    let mut client = house.categories(Way::Tcp);
    for _ in 0..20 {
        assert!(client.create_category(ask("phones")).await.is_err());
        assert!(client.create_category(ask("panic")).await.is_err());
    }
    until(|| true).await;
    assert!(client.create_category(ask("facts")).await.is_ok());
}
