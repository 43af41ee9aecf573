//! Failures on the wire and back.
use std::io;

use http::HeaderMap;
use tonic::{Code, Status};

use super::*;

const KINDS: [Kind; 10] = [
    Kind::Invalid,
    Kind::Unauthenticated,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::Conflict,
    Kind::Stale,
    Kind::Exhausted,
    Kind::Timeout,
    Kind::Unavailable,
    Kind::Internal,
];

/// As HTTP/2 headers, the only form that leaves the process.
fn over_the_wire(failure: &Failure) -> Failure {
    let response = Status::from(failure.clone()).into_http::<()>();
    Status::from_header_map(response.headers()).unwrap().into()
}

#[test]
fn every_kind_comes_back_with_all_it_says() {
    for kind in KINDS {
        let failure = Failure::new(kind, "out_of_stock", "only 3 are left: \"Größe\" 100%")
            .with("available", 3)
            .with("sku", "85123A")
            .retry_after(Duration::from_millis(1500));
        assert_eq!(over_the_wire(&failure), failure);
    }
}

#[test]
fn all_broken_fields_come_back() {
    let failure = Failure::invalid(vec![
        Violation::new("name", "must not be empty"),
        Violation::new("price", "has more decimals than EUR allows (2)"),
    ]);
    let back = over_the_wire(&failure);
    assert_eq!(back, failure);
    assert_eq!((back.kind.http_status(), back.violations.len()), (422, 2));
}

#[test]
fn too_many_violations_are_cut_so_that_the_headers_fit() {
    let long = "ä".repeat(5000);
    let violations = (0..500).map(|n| Violation::new(format!("f{n}{long}"), &long)).collect();
    let failure = Failure { message: long.clone(), ..Failure::invalid(violations) };
    let status = Status::from(failure);
    let mut bytes = 0;
    let headers: HeaderMap = status.into_http::<()>().headers().clone();
    for (name, value) in &headers {
        bytes += name.as_str().len() + value.len() + 32;
    }
    assert!(bytes < 60 * 1024, "{bytes}");
    let back = Failure::from(Status::from_header_map(&headers).unwrap());
    assert_eq!(back.violations.len(), 100);
    assert!(back.violations[0].message.ends_with("ä…"));
}

#[test]
fn a_status_of_others_gets_a_reason_and_keeps_no_secrets() {
    for (code, kind, reason, message) in [
        (Code::NotFound, Kind::NotFound, "not_found", "10.0.0.7 said no"),
        (Code::OutOfRange, Kind::Invalid, "invalid", "10.0.0.7 said no"),
        (Code::Aborted, Kind::Conflict, "conflict", "10.0.0.7 said no"),
        (Code::Cancelled, Kind::Timeout, "timeout", "the answer took too long"),
        (Code::Unknown, Kind::Internal, "internal", "something went wrong"),
        (Code::Unimplemented, Kind::Internal, "internal", "something went wrong"),
        (
            Code::Unavailable,
            Kind::Unavailable,
            "unavailable",
            "the service cannot answer at the moment",
        ),
    ] {
        let failure = Failure::from(Status::new(code, "10.0.0.7 said no"));
        assert_eq!(failure, Failure::new(kind, reason, message));
    }
}

#[test]
fn details_that_cannot_be_read_do_no_harm() {
    let status = Status::with_details(Code::NotFound, "gone", vec![0xff, 0xff, 1].into());
    assert_eq!(Failure::from(status), Failure::new(Kind::NotFound, "not_found", "gone"));
}

#[test]
fn an_internal_failure_tells_an_id_and_not_the_cause() {
    let cause = io::Error::other("password=hunter2");
    let (one, two) = (Failure::internal(&cause), Failure::internal(&cause));
    assert_eq!(one.kind, Kind::Internal);
    assert_eq!(one.message, format!("something went wrong (id {})", one.metadata["id"]));
    assert!(!format!("{one:?}").contains("hunter2"));
    assert_ne!(one.metadata["id"], two.metadata["id"]);
}

#[test]
fn the_chain_of_causes_is_told_in_full() {
    #[derive(Debug, thiserror::Error)]
    #[error("the order cannot be stored")]
    struct Outer(#[source] io::Error);
    assert_eq!(
        chain(&Outer(io::Error::other("disk full"))),
        "the order cannot be stored: disk full"
    );
}
