//! The API document for people: made of the OpenAPI document, without a script, so that it also reads offline.
use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::OpenApi;

struct Field {
    name: String,
    place: String,
    kind: String,
    needed: bool,
    text: String,
}

struct Outcome {
    status: String,
    text: String,
    body: String,
}

struct Operation {
    anchor: String,
    method: String,
    path: String,
    summary: String,
    guarded: bool,
    fields: Vec<Field>,
    body: Vec<Field>,
    outcomes: Vec<Outcome>,
}

struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Shape {
    name: String,
    text: String,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "pages/reader.html")]
struct Reader {
    intro: String,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
}

/// Rendered once: the document does not change while the process lives.
pub(super) async fn page(document: Arc<OpenApi>) -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| {
        let document = serde_json::to_value(&*document).unwrap_or_default();
        read(&document).render().unwrap_or_default()
    });
    Html(page.clone()).into_response()
}

fn read(document: &Value) -> Reader {
    let mut groups: Vec<Group> = Vec::new();
    for (path, item) in entries(&document["paths"]) {
        for (method, operation) in entries(item) {
            let tag = text(&operation["tags"][0]);
            let operation = self::operation(path, method, operation);
            match groups.iter_mut().find(|group| group.name == tag) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name: tag, operations: vec![operation] }),
            }
        }
    }
    let shapes = entries(&document["components"]["schemas"])
        .map(|(name, schema)| Shape {
            name: name.to_owned(),
            text: text(&schema["description"]),
            fields: fields_of(schema),
        })
        .collect();
    Reader { intro: text(&document["info"]["description"]), groups, shapes }
}

fn operation(path: &str, method: &str, operation: &Value) -> Operation {
    let fields = operation["parameters"].as_array().into_iter().flatten().map(|p| Field {
        name: text(&p["name"]),
        place: text(&p["in"]),
        kind: kind(&p["schema"]),
        needed: p["required"].as_bool().unwrap_or_default(),
        text: text(&p["description"]),
    });
    let body = entries(&operation["requestBody"]["content"]).map(|(media, content)| Field {
        name: kind(&content["schema"]),
        place: "body".to_owned(),
        kind: media.to_owned(),
        needed: true,
        text: String::new(),
    });
    let outcomes = entries(&operation["responses"]).map(|(status, response)| {
        let content = entries(&response["content"]).next();
        Outcome {
            status: status.to_owned(),
            text: text(&response["description"]),
            body: content.map(|(_, content)| kind(&content["schema"])).unwrap_or_default(),
        }
    });
    Operation {
        anchor: format!("{method}{}", path.replace(['/', '{', '}', '.'], "-")),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        guarded: !operation["security"].is_null(),
        fields: fields.collect(),
        body: body.collect(),
        outcomes: outcomes.collect(),
    }
}

fn fields_of(schema: &Value) -> Vec<Field> {
    let needed = schema["required"].as_array().cloned().unwrap_or_default();
    let own = entries(&schema["properties"]).map(|(name, property)| Field {
        name: name.to_owned(),
        place: String::new(),
        kind: kind(property),
        needed: needed.iter().any(|n| n == name),
        text: text(&property["description"]),
    });
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(fields_of)).collect()
}

/// A schema in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(word) if word == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(word) => word.clone(),
        Value::Array(words) => {
            words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
