//! Who may do what, whole (`reliability.md` S36): every operation of the served API document and
//! every method of the contracts, by everybody, held against `authorisation/http.csv` and
//! `authorisation/grpc.csv`. An operation, a method or a cell without an expectation is a failure.
mod actors;
mod fields;
mod grpc;
mod http;
mod objects;
mod table;

use souk_testkit::{Backend, ShopPlan, journeys};

use crate::plan;

journeys!(
    s36_every_operation_answers_everybody_as_the_table_says,
    s36_every_method_answers_everybody_as_the_table_says,
    s36_no_service_takes_a_key_for_its_owner,
    s38_answers_carry_listed_fields_only,
    s43_services_know_one_another_and_nobody_else,
);

/// A shop whose services can be called at a port of their own.
fn open_wide(backend: Backend) -> ShopPlan {
    // the owner logs in often
    plan(backend).set("grpc.listen", "127.0.0.1:0").set("accounts.max_devices", 50)
}

async fn s36_every_operation_answers_everybody_as_the_table_says(backend: Backend) {
    http::all(open_wide(backend).open().await).await;
}

async fn s36_every_method_answers_everybody_as_the_table_says(backend: Backend) {
    grpc::all(open_wide(backend).open().await).await;
}

async fn s36_no_service_takes_a_key_for_its_owner(backend: Backend) {
    http::programs(open_wide(backend).open().await).await;
}

async fn s38_answers_carry_listed_fields_only(backend: Backend) {
    fields::all(open_wide(backend).open().await).await;
}

async fn s43_services_know_one_another_and_nobody_else(backend: Backend) {
    grpc::strangers(open_wide(backend).open().await).await;
}

/// Shows everything at once: a table is mended in one go.
fn settle(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
