//! The operations of the API document that the gateway serves.
use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::Value;
use souk_testkit::{Answer, Client, Shop};

use super::actors::{Actors, token_of};
use super::objects::{self, NOTHING, Objects};
use super::settle;
use super::table::{Outcome, Seen, Table};
use crate::finish;
use crate::wire::Port;

const TABLE: &str = include_str!("http.csv");

/// The columns. `other_service`: who has got hold of a service's proof and shows it at the street.
const CALLERS: [&str; 7] =
    ["anonymous", "owner", "other", "catalog_admin", "admin", "api_key", "other_service"];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Refused to keys at the street, and no secret for them: `GET /api/auth/session` tells it.
const KNOWN: [&str; 1] = ["GET /api/me"];

/// Of everybody but their owner they are missing. What else has an id is made up.
const OWNED: [&str; 5] = [
    "/api/auth/sessions/{id}",
    "/api/me/addresses/{id}",
    "/api/me/api-keys/{id}",
    "/api/orders/{id}",
    "/api/payment-methods/{token}",
];

pub(super) async fn all(shop: Shop) {
    let table = Table::read(TABLE, &CALLERS).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
    let document = shop.anonymous().get("/api/openapi.json").await.expect(200);
    let served = operations(&document);
    assert!(served.len() > 100, "only {} operations", served.len());
    let actors = Actors::of(&shop).await;
    let objects = Objects::of(&shop, &actors).await;
    let proof = Port::of(&shop).token("analytics", "catalog");
    let other_service = actors.anonymous.with_token(&proof);
    // the owner last: what they end is gone
    let callers = [
        ("anonymous", &actors.anonymous),
        ("other", &actors.other),
        ("catalog_admin", &actors.catalog_admin),
        ("admin", &actors.admin),
        ("api_key", &actors.api_key),
        ("other_service", &other_service),
        ("owner", &actors.owner),
    ];
    let names: BTreeSet<String> = served.keys().cloned().collect();
    let mut seen = Seen::new();
    for operation in table.operations().filter(|operation| names.contains(*operation)) {
        let has_body = served[operation];
        let path = path_of(operation, &actors, &objects).await;
        let mut row = BTreeMap::new();
        for (name, client) in callers {
            let outcome = outcome(client, operation, &path, has_body, &objects).await;
            row.insert(name.to_owned(), outcome);
        }
        seen.insert(operation.to_owned(), row);
    }
    // an operation that nobody listed was not called: it is a difference all the same
    let unlisted = names.iter().filter(|name| !seen.contains_key(*name)).cloned();
    let unlisted: Vec<String> = unlisted.collect();
    seen.extend(unlisted.into_iter().map(|name| (name, BTreeMap::new())));
    settle(&table.differences(&seen));
    finish(shop).await;
}

/// What is its owner's own, asked for with the token that the gateway gets for a key of theirs, as if it
/// were a person's: the gateway does not know it for one, so it is the service that refuses it.
pub(super) async fn programs(shop: Shop) {
    let table = Table::read(TABLE, &CALLERS).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
    let document = shop.anonymous().get("/api/openapi.json").await.expect(200);
    let served = operations(&document);
    let port = Port::of(&shop);
    let actors = Actors::of(&shop).await;
    let objects = Objects::of(&shop, &actors).await;
    let key = serde_json::json!({ "name": "of the owner", "scopes": [] });
    let key = actors.owner.post("/api/me/api-keys", &key).await.field("key");
    let is = |operation: &str, caller: &str, outcome: Outcome| {
        table.expects(operation, caller) == Some(&outcome)
    };
    let own = table.operations().filter(|operation| {
        is(operation, "owner", Outcome::Ok)
            && is(operation, "api_key", Outcome::Forbidden)
            && !KNOWN.contains(operation)
    });
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in own {
        let path = path_of(operation, &actors, &objects).await;
        let program = actors.anonymous.with_token(&token_of(&port, &key).await);
        let body = objects::whole_body_of(operation, &objects);
        let body = body.unwrap_or_else(|| serde_json::json!({}));
        let answer = send(&program, operation, &path, served[operation].then_some(body)).await;
        let hidden = answer.status == 404 && is_owned(operation);
        let refused = answer.status == 403 && answer.text().contains("not_by_api_key");
        if !hidden && !refused {
            wrong.push(format!("{operation}: {} {}", answer.status, answer.text()));
        }
        tried += 1;
    }
    assert!(tried > 50, "only {tried} operations");
    settle(&wrong);
    finish(shop).await;
}

/// `GET /api/products/{key}` and whether it takes a body.
fn operations(document: &Value) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS.iter().filter(|method| item[**method].is_object()) {
            let has_body = item[*method]["requestBody"].is_object();
            found.insert(format!("{} {path}", method.to_uppercase()), has_body);
        }
    }
    found
}

/// The operations that only read.
pub(super) fn reads(document: &Value) -> Vec<String> {
    let all = operations(document).into_keys();
    all.filter(|operation| operation.starts_with("GET ")).collect()
}

fn is_owned(operation: &str) -> bool {
    let path = operation.split_once(' ').map_or(operation, |(_, path)| path);
    let below = |of: &&str| {
        path.strip_prefix(*of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    OWNED.iter().any(below)
}

/// The path with real things in it where it matters whose they are; those that their owner ends are
/// made for this operation.
pub(super) async fn path_of(operation: &str, actors: &Actors, objects: &Objects) -> String {
    let (_, template) = operation.split_once(' ').expect("method and path");
    let owner = &actors.owner;
    let owned = OWNED.iter().find(|of| is_owned(operation) && template.starts_with(**of));
    let thing = match owned.copied() {
        Some("/api/auth/sessions/{id}") => objects::session_of(actors).await,
        Some("/api/me/addresses/{id}") => objects::address_of(owner).await,
        Some("/api/me/api-keys/{id}") => objects::key_of(owner).await,
        Some("/api/orders/{id}") => objects.order.clone(),
        Some("/api/payment-methods/{token}") => objects::card_of(owner).await,
        Some(other) => panic!("nobody makes what {other} needs"),
        None => NOTHING.to_owned(),
    };
    let part = |part: &str| match part {
        "{key}" | "{product}" | "{product_id}" => objects.product.clone(),
        "{provider}" => "test".to_owned(),
        part if part.starts_with('{') => thing.clone(),
        part => part.to_owned(),
    };
    let path = template.split('/').map(part).collect::<Vec<_>>().join("/");
    // who asks goes on asking
    let keep = operation == "DELETE /api/auth/sessions";
    if keep { format!("{path}?keep_current=true") } else { path }
}

async fn send(client: &Client, operation: &str, path: &str, body: Option<Value>) -> Answer {
    let (method, _) = operation.split_once(' ').expect("method and path");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = client.request(method, path);
    if let Some(body) = body {
        request = request.json(&body);
    }
    client.send(request).await
}

async fn outcome(
    client: &Client,
    operation: &str,
    path: &str,
    has_body: bool,
    objects: &Objects,
) -> Outcome {
    let body = objects::body_of(operation, objects).unwrap_or_else(|| serde_json::json!({}));
    let answer = send(client, operation, path, has_body.then_some(body)).await;
    match answer.status {
        401 => Outcome::Unknown,
        403 => Outcome::Forbidden,
        404 if is_owned(operation) => Outcome::Hidden,
        405 | 500.. => Outcome::Broken(format!("{} {}", answer.status, answer.text())),
        _ => Outcome::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s36_a_route_that_nobody_listed_makes_the_comparison_fail() {
        let document = serde_json::json!({ "paths": {
            "/api/secrets/{id}": { "get": {}, "delete": { "requestBody": {} } },
        } });
        let served = operations(&document);
        assert!(served["DELETE /api/secrets/{id}"]);
        let table = Table::read(TABLE, &CALLERS).expect("the table");
        let strangers = table.strangers(&served.into_keys().collect());
        for unlisted in ["GET /api/secrets/{id}", "DELETE /api/secrets/{id}"] {
            assert!(
                strangers.contains(&format!("{unlisted} has no expectations")),
                "{strangers:?}"
            );
        }
        assert!(strangers.contains(&"GET /api/me is expected and not there".to_owned()));
    }

    #[test]
    fn things_of_the_owner_are_told_from_others() {
        for owned in ["GET /api/orders/{id}", "POST /api/orders/{id}/cancel"] {
            assert!(is_owned(owned), "{owned}");
        }
        for other in ["GET /api/orders", "GET /api/orders/history", "GET /api/admin/orders/{id}"] {
            assert!(!is_owned(other), "{other}");
        }
    }
}
