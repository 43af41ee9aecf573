//! The tree of categories.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use souk_proto::catalog::v1::{
    Category, CreateCategoryRequest, DeleteCategoryRequest, ListCategoriesRequest,
};
use utoipa::ToSchema;

use super::Answer;
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::session::ProductsWriter;

#[derive(Serialize, ToSchema)]
pub(crate) struct CategoryView {
    id: String,
    #[schema(example = "phones/refurbished")]
    path: String,
    name: String,
    /// Products in it and below it.
    products: u64,
}

impl From<Category> for CategoryView {
    fn from(c: Category) -> Self {
        Self { id: c.id, path: c.path, name: c.name, products: c.products }
    }
}

/// All categories, parents before children.
#[derive(Serialize, ToSchema)]
pub(crate) struct CategoryTree {
    items: Vec<CategoryView>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct CategoryBody {
    /// Slugs with slashes; the category above it must exist.
    path: String,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// The tree of categories, flat.
#[utoipa::path(get, path = "/api/categories", tag = "categories", responses((status = 200, body = CategoryTree)))]
pub(crate) async fn list(State(site): State<Site>) -> Answer<Json<CategoryTree>> {
    let found = site.clients.categories.clone().list_categories(ListCategoriesRequest {}).await?;
    let items = found.into_inner().items.into_iter().map(CategoryView::from).collect();
    Ok(Json(CategoryTree { items }))
}

/// Makes a category.
#[utoipa::path(post, path = "/api/categories", tag = "categories", request_body = CategoryBody,
    responses((status = 201, body = CategoryView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: ProductsWriter,
    mut body: Fields,
) -> Answer<Response> {
    let request =
        CreateCategoryRequest { path: body.required("path"), name: body.required("name") };
    body.finish()?;
    let made = site.clients.categories.clone().create_category(request).await?.into_inner();
    Ok(super::created("/api/categories", None, &CategoryView::from(made)))
}

/// Removes an empty category.
#[utoipa::path(delete, path = "/api/categories/{path}", tag = "categories",
    params(("path" = String, Path, description = "a slash inside is written %2F")),
    responses((status = 200, body = CategoryView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: ProductsWriter,
    Path(path): Path<String>,
) -> Answer<Json<CategoryView>> {
    let request = DeleteCategoryRequest { path };
    let gone = site.clients.categories.clone().delete_category(request).await?.into_inner();
    Ok(Json(gone.into()))
}
