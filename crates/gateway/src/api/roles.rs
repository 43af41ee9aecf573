//! Roles: sets of permissions.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    CreateRoleRequest, DeleteRoleRequest, ListPermissionsRequest, ListRolesRequest, PermissionInfo,
    Role, UpdateRoleRequest,
};
use utoipa::ToSchema;

use super::{Answer, created};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::session::{RolesWriter, UsersReader};

#[derive(Serialize, ToSchema)]
pub(crate) struct RoleView {
    name: String,
    /// The number by which first clients know it; 0: none.
    number: u32,
    permissions: Vec<String>,
}

impl From<Role> for RoleView {
    fn from(r: Role) -> Self {
        Self { name: r.name, number: r.number, permissions: r.permissions }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RoleList {
    items: Vec<RoleView>,
}

/// One thing that a role may allow.
#[derive(Serialize, ToSchema)]
pub(crate) struct PermissionView {
    #[schema(example = "products.write")]
    name: String,
    meaning: String,
}

impl From<PermissionInfo> for PermissionView {
    fn from(p: PermissionInfo) -> Self {
        Self { name: p.name, meaning: p.meaning }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PermissionList {
    items: Vec<PermissionView>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RoleBody {
    #[schema(min_length = 2, max_length = 32, pattern = "^[a-z0-9_]+$")]
    name: String,
    permissions: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct RoleChangeBody {
    /// It stands in the path and cannot be changed.
    #[schema(nullable = false)]
    name: Option<String>,
    /// All of them: they replace those before.
    permissions: Vec<String>,
}

async fn all(site: &Site) -> Answer<Vec<RoleView>> {
    let found = site.clients.accounts.clone().list_roles(ListRolesRequest {}).await?.into_inner();
    Ok(found.items.into_iter().map(RoleView::from).collect())
}

/// The roles, with what they allow.
#[utoipa::path(get, path = "/api/roles", tag = "users", responses((status = 200, body = RoleList)),
    security(("bearer" = [])))]
pub(crate) async fn list_for_users(state: State<Site>, may: UsersReader) -> Answer<Json<RoleList>> {
    list(state, may).await
}

/// The roles, with what they allow.
#[utoipa::path(get, path = "/api/admin/roles", tag = "users",
    responses((status = 200, body = RoleList)), security(("bearer" = [])))]
pub(crate) async fn list(State(site): State<Site>, _may: UsersReader) -> Answer<Json<RoleList>> {
    Ok(Json(RoleList { items: all(&site).await? }))
}

/// One role.
#[utoipa::path(get, path = "/api/admin/roles/{name}", tag = "users",
    params(("name" = String, Path)),
    responses((status = 200, body = RoleView)), security(("bearer" = [])))]
pub(crate) async fn get(
    State(site): State<Site>,
    _may: UsersReader,
    Path(name): Path<String>,
) -> Answer<Json<RoleView>> {
    let found = all(&site).await?.into_iter().find(|role| role.name == name);
    found.map(Json).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "role_not_found", "there is no such role")
    })
}

/// Everything that a role may allow, with a sentence.
#[utoipa::path(get, path = "/api/admin/permissions", tag = "users",
    responses((status = 200, body = PermissionList)), security(("bearer" = [])))]
pub(crate) async fn permissions(
    State(site): State<Site>,
    _may: UsersReader,
) -> Answer<Json<PermissionList>> {
    let found = site.clients.roles.clone().list_permissions(ListPermissionsRequest {}).await?;
    let items = found.into_inner().items.into_iter().map(PermissionView::from).collect();
    Ok(Json(PermissionList { items }))
}

/// Makes a role of permissions that one holds oneself. Needs a fresh second factor.
#[utoipa::path(post, path = "/api/admin/roles", tag = "users", request_body = RoleBody,
    responses((status = 201, body = RoleView),
        (status = 409, description = "role_taken", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: RolesWriter,
    mut body: Fields,
) -> Answer<Response> {
    let name = body.required("name");
    let permissions = required_permissions(&mut body);
    body.finish()?;
    let request = CreateRoleRequest { name, permissions };
    let made = site.clients.roles.clone().create_role(request).await?.into_inner();
    let location = format!("/api/admin/roles/{}", made.name);
    Ok(created(&location, None, &RoleView::from(made)))
}

/// Replaces what a role allows, at once: tokens of people with this role end. Needs a fresh second
/// factor.
#[utoipa::path(put, path = "/api/admin/roles/{name}", tag = "users",
    request_body = RoleChangeBody, params(("name" = String, Path)),
    responses((status = 200, body = RoleView)), security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _may: RolesWriter,
    Path(name): Path<String>,
    mut body: Fields,
) -> Answer<Json<RoleView>> {
    body.same("name", &name);
    let permissions = required_permissions(&mut body);
    body.finish()?;
    let request = UpdateRoleRequest { name, permissions };
    Ok(Json(site.clients.roles.clone().update_role(request).await?.into_inner().into()))
}

fn required_permissions(body: &mut Fields) -> Vec<String> {
    body.needs("permissions");
    body.strings("permissions").unwrap_or_default()
}

/// Removes a role that nobody has. Needs a fresh second factor.
#[utoipa::path(delete, path = "/api/admin/roles/{name}", tag = "users",
    params(("name" = String, Path)),
    responses((status = 200, body = RoleView),
        (status = 409, description = "role_in_use", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: RolesWriter,
    Path(name): Path<String>,
) -> Answer<Json<RoleView>> {
    let request = DeleteRoleRequest { name };
    Ok(Json(site.clients.roles.clone().delete_role(request).await?.into_inner().into()))
}
