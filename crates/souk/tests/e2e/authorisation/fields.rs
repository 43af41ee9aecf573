//! Answers carry the fields that the API document lists, and no other (S38): whoever asks, at every
//! depth.
use serde_json::Value;
use souk_testkit::Shop;

use super::actors::Actors;
use super::http::{path_of, reads};
use super::objects::{Objects, address_of, card_of, key_of};
use super::settle;
use crate::finish;

/// Words that stand for what is shown once, where it is made, and never read again.
const NEVER: [&str; 8] = [
    "password",
    "password_hash",
    "hash",
    "refresh_token",
    "access_token",
    "secret",
    "sealed_secret",
    "recovery_codes",
];

pub(super) async fn all(shop: Shop) {
    let document = shop.anonymous().get("/api/openapi.json").await.expect(200);
    let actors = Actors::of(&shop).await;
    let objects = Objects::of(&shop, &actors).await;
    // lists that are empty show no fields
    address_of(&actors.owner).await;
    card_of(&actors.owner).await;
    key_of(&actors.owner).await;
    let (mut wrong, mut answers) = (Vec::new(), 0);
    for operation in reads(&document) {
        let path = path_of(&operation, &actors, &objects).await;
        let template = operation.trim_start_matches("GET ");
        let schema = &document["paths"][template]["get"]["responses"]["200"]["content"];
        let schema = &schema["application/json"]["schema"];
        for (who, client) in [
            ("anonymous", &actors.anonymous),
            ("owner", &actors.owner),
            ("catalog_admin", &actors.catalog_admin),
            ("admin", &actors.admin),
        ] {
            let answer = client.get(&path).await;
            let is_json = answer.header("content-type").starts_with("application/json");
            if answer.status != 200 || !is_json || schema.is_null() {
                continue;
            }
            answers += 1;
            let mut found = Vec::new();
            strangers(&answer.json(), schema, &document, "", &mut found);
            wrong.extend(found.into_iter().map(|field| format!("{operation}: {who}: {field}")));
        }
    }
    assert!(answers > 100, "only {answers} answers were read");
    settle(&wrong);
    finish(shop).await;
}

/// The places of fields that the schema does not know, or that are never told.
fn strangers(value: &Value, schema: &Value, document: &Value, at: &str, found: &mut Vec<String>) {
    let parts = parts(schema, document);
    // a schema that says nothing allows everything: a value of the operator's own
    if parts.iter().all(|part| part.as_object().is_none_or(|fields| fields.is_empty())) {
        return;
    }
    match value {
        Value::Array(items) => {
            let Some(of) = parts.iter().find(|part| part["items"].is_object()) else { return };
            for item in items {
                strangers(item, &of["items"], document, &format!("{at}[]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, inner) in fields {
                let place = format!("{at}.{name}");
                if NEVER.contains(&name.as_str()) {
                    found.push(format!("{place} is never told"));
                }
                let listed = parts.iter().find(|part| part["properties"][name].is_object());
                let open = parts.iter().find(|part| part["additionalProperties"].is_object());
                match (listed, open) {
                    (Some(part), _) => {
                        strangers(inner, &part["properties"][name], document, &place, found);
                    }
                    (None, Some(part)) => {
                        strangers(inner, &part["additionalProperties"], document, &place, found);
                    }
                    (None, None) => found.push(format!("{place} is not in the document")),
                }
            }
        }
        _ => {}
    }
}

/// The schema without references, and with all that it is made of.
fn parts<'a>(schema: &'a Value, document: &'a Value) -> Vec<&'a Value> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#'));
        return target.map(|target| parts(target, document)).unwrap_or_default();
    }
    let mut found = vec![schema];
    for word in ["allOf", "oneOf", "anyOf"] {
        let inner = schema[word].as_array().into_iter().flatten();
        found.extend(inner.flat_map(|schema| parts(schema, document)));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s38_a_field_that_nobody_listed_is_found_at_any_depth() {
        let document = json!({ "components": { "schemas": {
            "User": { "properties": { "id": { "type": "string" }, "tags": { "type": "array" } } },
            "Page": { "properties": {
                "items": { "type": "array", "items": { "$ref": "#/components/schemas/User" } },
                "more": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/User" }] },
                "counts": { "type": "object", "additionalProperties": { "type": "integer" } },
                "anything": {},
            } },
        } } });
        let schema = json!({ "$ref": "#/components/schemas/Page" });
        let of = |value: Value| {
            let mut found = Vec::new();
            strangers(&value, &schema, &document, "", &mut found);
            found
        };
        let good = json!({
            "items": [{ "id": "1", "tags": ["a"] }], "more": null, "counts": { "a": 1 },
            "anything": { "b": [1] },
        });
        assert_eq!(of(good), Vec::<String>::new());
        assert_eq!(
            of(json!({ "items": [{ "cost": 1 }] })),
            [".items[].cost is not in the document"]
        );
        assert_eq!(of(json!({ "more": { "mail": 1 } })), [".more.mail is not in the document"]);
        assert_eq!(of(json!({ "x": 1 })), [".x is not in the document"]);
        let told = of(json!({ "items": [{ "password": "x" }] }));
        assert_eq!(told[0], ".items[].password is never told");
    }
}
