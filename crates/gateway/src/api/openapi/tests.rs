//! The document is complete: every handler is mounted, every route is described, and for each it
//! is said who may call it.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::complete;

/// What may be called without a login. Everything else names its ways to log in.
const OPEN: [(&str, &str); 26] = [
    ("get", "/.well-known/jwks.json"),
    ("get", "/api/auth/session"),
    ("get", "/api/avatars"),
    ("get", "/api/avatars/{picture}"),
    ("get", "/api/categories"),
    ("get", "/api/images/{name}"),
    ("get", "/api/newsletter"),
    ("get", "/api/products"),
    ("get", "/api/products/{key}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("post", "/api/auth/login"),
    ("post", "/api/auth/logout"),
    ("post", "/api/auth/password/forgot"),
    ("post", "/api/auth/password/reset"),
    ("post", "/api/auth/refresh"),
    ("post", "/api/auth/register"),
    ("post", "/api/auth/register/confirm"),
    ("post", "/api/auth/register/resend"),
    ("post", "/api/carts"),
    ("post", "/api/checkout/quote"),
    ("post", "/api/newsletter"),
    ("post", "/api/newsletter/confirm"),
    ("post", "/api/newsletter/unsubscribe"),
    ("post", "/api/webhooks/payments/{provider}"),
    ("post", "/users/login"),
];

/// Routes that are no API: pages, the document itself, the operator's port.
const PAGES: [&str; 11] = [
    "/",
    "/api/docs",
    "/api/openapi.json",
    "/dev/mailbox",
    "/dev/mailbox/{id}",
    "/healthz",
    "/metrics",
    "/newsletter/confirm",
    "/newsletter/unsubscribe",
    "/readyz",
    "/routes",
];

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

type Operations = BTreeSet<(String, String)>;

fn document() -> Value {
    let (_, document) = crate::http::routes().split_for_parts();
    serde_json::to_value(complete(document, "souk_session")).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item[**method].is_object()) {
            found.push(((*method).to_owned(), path.clone(), &item[*method]));
        }
    }
    found
}

/// The sources of this crate without their tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

fn all_sources() -> Vec<String> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 40, "these are not our sources");
    found
}

/// `method, path = "…"` of every annotation.
fn annotated() -> Operations {
    let mut found = Operations::new();
    for source in all_sources() {
        for part in source.split("#[utoipa::path(").skip(1) {
            let method = part.split(',').next().unwrap().trim().to_owned();
            let path = part.split_once("path = \"").unwrap().1.split('"').next().unwrap();
            assert!(found.insert((method, path.to_owned())), "{path} is answered twice");
        }
    }
    found
}

#[test]
fn s34_every_handler_is_mounted_and_in_the_document() {
    let document = document();
    let described: Operations =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(annotated(), described);
    assert!(described.len() > 100);
}

#[test]
fn s34_every_route_that_is_not_in_the_document_is_a_page() {
    let mut bare = BTreeSet::new();
    for source in all_sources() {
        for part in source.split(".route(\"").skip(1) {
            bare.insert(part.split('"').next().unwrap().to_owned());
        }
        // a path that is no literal would not be seen here
        let routes = source.matches(concat!(".", "route(")).count();
        assert_eq!(routes, source.matches(concat!(".", "route(\"")).count());
    }
    let pages: BTreeSet<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    assert_eq!(bare, pages);
}

#[test]
fn s34_who_may_call_it_is_said_of_every_operation() {
    let document = document();
    let mut open = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        match operation["security"].as_array() {
            None => {
                open.insert((method, path));
            }
            Some(ways) => {
                let names: Vec<_> =
                    ways.iter().flat_map(|way| way.as_object().unwrap().keys()).collect();
                assert!(names.contains(&&"bearer".to_owned()), "{method} {path}: {names:?}");
                assert!(names.contains(&&"cookie".to_owned()), "{method} {path}: {names:?}");
                let answers = &operation["responses"];
                assert!(answers["401"].is_object() && answers["403"].is_object(), "{path}");
            }
        }
    }
    let expected: Operations =
        OPEN.iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
    assert_eq!(open, expected);
    for scheme in ["bearer", "cookie"] {
        assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
}

#[test]
fn what_a_document_of_two_schemas_of_one_name_would_hide() {
    // utoipa keeps the last schema of a name: two types of one name would describe each other
    let mut names = BTreeSet::new();
    for source in all_sources() {
        let mut derives = false;
        for line in source.lines() {
            derives |= line.starts_with("#[derive(") && line.contains("ToSchema");
            let name = line
                .strip_prefix("pub(crate) struct ")
                .or_else(|| line.strip_prefix("pub(crate) enum "));
            if let Some(name) = name {
                let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap();
                assert!(!derives || names.insert(name.to_owned()), "{name} is there twice");
                derives = false;
            }
        }
    }
    assert!(names.len() > 80, "{names:?}");
}
