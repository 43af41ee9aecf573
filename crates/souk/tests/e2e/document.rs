//! The API document: served, true, complete.
use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, Shop, journeys};

use crate::{finish, plan};

journeys!(every_documented_operation_answers, health_and_pages_are_there);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Fails when an answer of a journey has a status that the document does not list for its operation.
pub(crate) async fn knows_all_that_was_seen(shop: &Shop) {
    let document = shop.anonymous().get("/api/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().expect("paths");
    let mut unknown = BTreeSet::new();
    for (method, path, status) in shop.seen().all() {
        let path = match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        // the document itself and pages are not of the document
        let Some((template, item)) = paths.iter().find(|(template, _)| is_of(path, template))
        else {
            continue;
        };
        let operation = &item[method.to_lowercase()];
        if operation.is_object() && operation["responses"][status.to_string()].is_null() {
            unknown.insert(format!("{method} {template} answered {status}"));
        }
    }
    assert!(unknown.is_empty(), "not in the API document: {unknown:#?}");
}

fn is_of(path: &str, template: &str) -> bool {
    let (path, template): (Vec<&str>, Vec<&str>) =
        (path.split('/').collect(), template.split('/').collect());
    // `{*path}` takes all that is left
    if let Some(at) = template.iter().position(|part| part.starts_with("{*")) {
        return path.len() >= at && path[..at] == template[..at];
    }
    path.len() == template.len()
        && path.iter().zip(&template).all(|(part, of)| of.starts_with('{') || part == of)
}

async fn every_documented_operation_answers(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let served = shop.anonymous().get("/api/openapi.json").await;
    let document = served.expect(200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut operations = 0;
    for (template, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS.iter().filter(|method| item[**method].is_object()) {
            let operation = &item[*method];
            assert!(operation["summary"].is_string(), "{method} {template} has no summary");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {template}");
            // the one who asks goes on asking
            let keep = *method == "delete" && template == "/api/auth/sessions";
            let path = filled(template) + if keep { "?keep_current=true" } else { "" };
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let mut request = admin.request(method.clone(), &path);
            if operation["requestBody"].is_object() {
                request = request.json(&json!({}));
            }
            let answer = admin.send(request).await;
            let (status, text) = (answer.status, answer.text());
            assert!(status < 500, "{method} {path}: {status} {text}");
            assert_ne!(status, 405, "{method} {path}: {text}");
            let nowhere = status == 404 && answer.json()["code"] == "not_found";
            assert!(!nowhere, "{method} {path} has no handler");
            operations += 1;
        }
    }
    assert!(operations >= 40, "only {operations} operations");
    admin.get("/api/me").await.expect(200);
    // what is not in the document is not there, and no method beyond it
    assert_eq!(admin.get("/api/nothing").await.refused(404), "not_found");
    let wrong = admin.send(admin.request(Method::DELETE, "/api/products")).await;
    assert_eq!(wrong.refused(405), "method_not_allowed");
    let broken = references(&document, &document);
    assert!(broken.is_empty(), "references to nothing: {broken:?}");
    finish(shop).await;
}

/// A path whose parameters name nothing that exists.
fn filled(template: &str) -> String {
    let part =
        |part: &str| if part.starts_with('{') { "nothing-of-this-name" } else { part }.to_owned();
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// All `$ref`s that lead nowhere.
fn references(value: &Value, document: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| references(item, document)).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("$ref", Some(target)) => {
                    let there = document.pointer(target.trim_start_matches('#')).is_some();
                    if there { Vec::new() } else { vec![target.to_owned()] }
                }
                _ => references(value, document),
            })
            .collect(),
        _ => Vec::new(),
    }
}

async fn health_and_pages_are_there(backend: Backend) {
    let shop = plan(backend).open().await;
    let anonymous = shop.anonymous();
    assert_eq!(anonymous.get("/healthz").await.expect(200)["status"], "ok");
    let ready = anonymous.get("/readyz").await.expect(200);
    assert_eq!(ready["status"], "ok");
    let parts = ready["parts"].as_object().expect("parts");
    for part in [
        "serving",
        "sessions",
        "bus",
        "cache",
        "database.accounts",
        "database.catalog",
        "database.notifier",
    ] {
        assert_eq!(parts.get(part), Some(&json!(true)), "{part}: {ready}");
    }
    let operator = anonymous.at(&shop.operator());
    assert_eq!(operator.get("/readyz").await.expect(200)["status"], "ok");
    assert_eq!(operator.get("/metrics").await.status, 200);
    // not for the street
    anonymous.get("/metrics").await.refused(404);
    for page in ["/", "/api/docs"] {
        let answer = anonymous.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
    }
    let keys = anonymous.get("/.well-known/jwks.json").await.expect(200);
    let keys = keys["keys"].as_array().expect("keys");
    assert!(keys.iter().all(|key| key["d"].is_null()), "a private key is shown");
    assert_eq!(keys.len(), 1);
    let answer = anonymous.get("/api/products").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.header("x-request-id").is_empty());
    finish(shop).await;
}
