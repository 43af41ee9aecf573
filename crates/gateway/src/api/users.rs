//! Accounts, as admins see them.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, UpdateUserRequest,
    User, UserFields,
};
use souk_rpc::Violation;
use utoipa::ToSchema;

use super::sent::SentNames;
use super::{Answer, idempotency_key, maybe, tagged, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::query::Query;
use crate::http::session::{UsersReader, UsersWriter};

/// An account. The password is in no answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    #[schema(example = "usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    username: String,
    email: String,
    full_name: String,
    #[schema(example = "customer")]
    role: String,
    permissions: Vec<String>,
    active: bool,
    version: u64,
    created_at: String,
    updated_at: String,
}

impl From<User> for UserView {
    fn from(u: User) -> Self {
        Self {
            id: u.id,
            username: u.username,
            email: u.email,
            full_name: u.full_name,
            role: u.role,
            permissions: u.permissions,
            active: u.active,
            version: u.version,
            created_at: time(u.created_at_us),
            updated_at: time(u.updated_at_us),
        }
    }
}

/// Part of a list of accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPage {
    items: Vec<UserView>,
    next_cursor: Option<String>,
}

/// What an admin may say of an account. To create one, username, e-mail address and password are
/// needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct UserBody {
    #[schema(nullable = false)]
    username: Option<String>,
    #[schema(nullable = false)]
    email: Option<String>,
    #[schema(nullable = false)]
    full_name: Option<String>,
    /// Another word for `full_name`.
    #[schema(nullable = false)]
    fullname: Option<String>,
    #[schema(nullable = false)]
    password: Option<String>,
    /// `admin` or `customer`.
    #[schema(nullable = false)]
    role: Option<String>,
    /// Another word for `role`, by number: 1 admin, 2 customer.
    #[schema(nullable = false)]
    rol: Option<i64>,
    #[schema(nullable = false)]
    active: Option<bool>,
}

/// A body as far as it could be read, and what is broken in it.
pub(crate) struct Read {
    pub(crate) fields: UserFields,
    pub(crate) names: SentNames,
    pub(crate) broken: Vec<Violation>,
}

/// Takes all fields; what is of the wrong type or unknown is named at once.
pub(crate) fn fields(mut body: Fields) -> Read {
    let mut names = SentNames::default();
    let name = body.alias(&["full_name", "fullname"]);
    let role_name = body.alias(&["role", "rol"]);
    names.note("full_name", name);
    names.note("role", role_name);
    let role = if role_name == "rol" {
        body.integer("rol").map(|number| number.to_string())
    } else {
        body.string("role")
    };
    let fields = UserFields {
        username: body.string("username"),
        email: body.string("email"),
        full_name: body.string(name),
        password: body.string("password"),
        role,
        active: body.boolean("active"),
        password_hash: None,
    };
    Read { fields, names, broken: body.violations() }
}

/// Lists accounts: active ones, unless asked otherwise.
#[utoipa::path(get, path = "/api/users", tag = "users", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("role" = Option<String>, Query),
    ("active" = Option<bool>, Query, description = "default true"),
    ("q" = Option<String>, Query, description = "part of username, e-mail address or name"),
), responses((status = 200, body = UserPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: UsersReader,
    mut query: Query,
) -> Answer<Json<UserPage>> {
    let request = ListUsersRequest {
        page: Some(query.page()),
        role: query.text("role").unwrap_or_default(),
        active: query.boolean("active"),
        text: query.text("q").unwrap_or_default(),
    };
    query.finish()?;
    let found = site.clients.accounts.clone().list_users(request).await?.into_inner();
    Ok(Json(UserPage {
        items: found.items.into_iter().map(UserView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}

/// Creates an account.
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = UserBody,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: UsersWriter,
    headers: HeaderMap,
    body: Fields,
) -> Answer<Response> {
    let Read { fields, names, broken } = fields(body);
    let idempotency_key = idempotency_key(&headers)?;
    let check_only = !broken.is_empty();
    let request = CreateUserRequest { fields: Some(fields), idempotency_key, check_only };
    let made = site.clients.accounts.clone().create_user(request).await;
    let made = names.settle(broken, made)?;
    let location = format!("/api/users/{}", made.id);
    Ok(super::created(&location, Some(made.version), &UserView::from(made)))
}

/// One account.
#[utoipa::path(get, path = "/api/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: UsersReader,
    Path(id): Path<String>,
) -> Answer<Response> {
    let found = site.clients.accounts.clone().get_user(GetUserRequest { id }).await?.into_inner();
    Ok(tagged(StatusCode::OK, found.version, &UserView::from(found)))
}

/// Changes the given fields of an account; role and password end its sessions.
#[utoipa::path(put, path = "/api/users/{id}", tag = "users", request_body = UserBody,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn put(
    site: State<Site>,
    may: UsersWriter,
    id: Path<String>,
    seen: IfMatch,
    body: Fields,
) -> Answer<Response> {
    patch(site, may, id, seen, body).await
}

/// The same as PUT.
#[utoipa::path(patch, path = "/api/users/{id}", tag = "users", request_body = UserBody,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn patch(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
    body: Fields,
) -> Answer<Response> {
    let Read { fields, names, broken } = fields(body);
    let check_only = !broken.is_empty();
    let request = UpdateUserRequest { id, fields: Some(fields), expected_version, check_only };
    let changed = site.clients.accounts.clone().update_user(request).await;
    let changed = names.settle(broken, changed)?;
    Ok(tagged(StatusCode::OK, changed.version, &UserView::from(changed)))
}

/// Closes an account: it cannot log in any more. The last admin stays.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = UserView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
    IfMatch(expected_version): IfMatch,
) -> Answer<Response> {
    let request = DeleteUserRequest { id, expected_version };
    let gone = site.clients.accounts.clone().delete_user(request).await?.into_inner();
    Ok(tagged(StatusCode::OK, gone.version, &UserView::from(gone)))
}

#[cfg(test)]
mod tests {
    use souk_rpc::{Failure, Kind};
    use tonic::{Response, Status};

    use super::*;

    fn told(body: &str, failure: Failure) -> (u16, Vec<(String, String)>) {
        let read = fields(Fields::parse(body.as_bytes()).unwrap());
        let answer: Result<Response<User>, Status> = Err(failure.into());
        let problem = read.names.settle(read.broken, answer).unwrap_err();
        let json = serde_json::to_value(&problem).unwrap();
        let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
        let errors = json["errors"].as_array().unwrap().iter();
        (problem.status(), errors.map(|e| (text(&e["field"]), text(&e["message"]))).collect())
    }

    #[test]
    fn what_gateway_and_service_find_broken_is_told_at_once_under_the_names_that_were_sent() {
        let service = Failure::invalid(vec![
            Violation::new("email", "is required"),
            Violation::new("full_name", "must have at most 200 characters"),
            Violation::new("role", "is not a role"),
        ]);
        let body = r#"{"email": 5, "fullname": "x", "rol": 9, "colour": "red"}"#;
        let pair = |f: &str, m: &str| (f.to_owned(), m.to_owned());
        let expected = vec![
            pair("email", "must be a string"),
            pair("colour", "is not a field of this request"),
            pair("fullname", "must have at most 200 characters"),
            pair("rol", "is not a role"),
        ];
        assert_eq!(told(body, service), (422, expected));
    }

    #[test]
    fn an_account_that_is_not_there_is_not_there_whatever_the_body() {
        let unknown = Failure::new(Kind::NotFound, "user_not_found", "there is no such user");
        assert_eq!(told(r#"{"email": 5}"#, unknown), (404, Vec::new()));
    }
}
