//! The OpenAPI 3.1 document, made of the handlers, completed with what every operation has in
//! common.
use std::sync::Arc;

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::http::Site;
use crate::http::problem::{FieldError, Problem};

const PROBLEM: &str = "application/problem+json";

/// Adds title, security schemes and the problems that any operation may answer.
pub(crate) fn complete(mut document: OpenApi, session_cookie: &str) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Souk")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A shop's REST API. JSON in snake_case; money as decimal strings beside a currency; lists by cursor; \
             errors as RFC 9457 problems with a stable `code`. Any request may carry `X-Request-Id`; any answer does.",
        ))
        .build();
    let mut components = document.components.take().unwrap_or_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token, or an API key (`souk_…`)."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description(
        session_cookie,
        "For the shop's own pages. What changes something needs `X-CSRF-Token` as well.",
    );
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    document.components = Some(components);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (&mut item.get, false),
            (&mut item.put, true),
            (&mut item.post, true),
            (&mut item.patch, true),
            (&mut item.delete, true),
        ];
        for (operation, writes) in operations {
            if let Some(operation) = operation {
                add_problems(path, operation, writes);
            }
        }
    }
    document
}

fn add_problems(path: &str, operation: &mut Operation, writes: bool) {
    if let Some(ways) = &mut operation.security {
        ways.push(SecurityRequirement::new("cookie", Vec::<String>::new()));
    }
    let guarded = operation.security.is_some();
    let body = operation.request_body.is_some();
    let mut problems = vec![
        ("400", "not parsable"),
        ("401", "the access token is missing or not valid"),
        ("429", "over a limit; `Retry-After` says how long to wait"),
        ("500", "something went wrong here"),
        ("503", "nothing was accepted, try again later"),
        ("504", "it took too long"),
    ];
    if guarded {
        problems.push(("403", "the role does not allow it, or it needs a second factor"));
    }
    if path.contains('{') {
        problems.push(("404", "missing, or not yours"));
    }
    if operation.parameters.as_ref().is_some_and(|list| !list.is_empty()) || body {
        problems.push(("422", "fields break a rule: all of them in `errors`"));
    }
    if writes {
        problems.push(("403", "a browser's request without its CSRF token"));
        problems.push(("404", "missing, or not yours"));
        problems.push(("409", "conflict with the current state"));
        problems.push(("412", "`If-Match` names an old version"));
        problems.push(("413", "the body is too large"));
        problems.push(("415", "the body is of the wrong type"));
    }
    if body {
        problems.push(("408", "the body came too slowly"));
    }
    problems.push(("403", "nobody may come in from this address"));
    for (status, description) in problems {
        let known = operation.responses.responses.get(status);
        let undescribed = match known {
            None => true,
            Some(RefOr::T(response)) => {
                !response.content.contains_key(PROBLEM) && status.starts_with('4')
            }
            _ => false,
        };
        if undescribed {
            let response = RefOr::T(problem(description));
            operation.responses.responses.insert(status.to_owned(), response);
        }
    }
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// The document; `pages::reader` shows it to people.
pub(crate) fn router(document: Arc<OpenApi>) -> Router<Site> {
    let json = move || async move { Json((*document).clone()).into_response() };
    Router::new().route("/api/openapi.json", get(json))
}

#[cfg(test)]
mod tests;
