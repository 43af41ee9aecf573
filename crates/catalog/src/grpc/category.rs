//! `CategoryService`.
use std::collections::HashMap;

use souk_proto::catalog::v1::category_service_server::CategoryService;
use souk_proto::catalog::v1::{
    Category, CreateCategoryRequest, DeleteCategoryRequest, ListCategoriesRequest,
    ListCategoriesResponse,
};
use tonic::{Request, Response, Status};

use crate::app::{App, category};
use crate::error::Error;
use crate::store;

pub(super) struct Categories {
    pub(super) app: App,
}

#[tonic::async_trait]
impl CategoryService for Categories {
    async fn list_categories(
        &self,
        _request: Request<ListCategoriesRequest>,
    ) -> Result<Response<ListCategoriesResponse>, Status> {
        let db = &self.app.db;
        let rows = store::category::list(db).await.map_err(Error::from)?;
        let counts = store::product::count_by_category(db).await.map_err(Error::from)?;
        let counts = with_children(counts);
        let items = rows
            .into_iter()
            .map(|row| {
                let products = counts.get(&row.path).copied().unwrap_or_default();
                to_proto(row, products)
            })
            .collect();
        Ok(Response::new(ListCategoriesResponse { items }))
    }

    async fn create_category(
        &self,
        request: Request<CreateCategoryRequest>,
    ) -> Result<Response<Category>, Status> {
        let request = request.into_inner();
        let made = category::create(&self.app, &request.path, &request.name).await?;
        Ok(Response::new(to_proto(made, 0)))
    }

    async fn delete_category(
        &self,
        request: Request<DeleteCategoryRequest>,
    ) -> Result<Response<Category>, Status> {
        let gone = category::delete(&self.app, &request.into_inner().path).await?;
        Ok(Response::new(to_proto(gone, 0)))
    }
}

/// Each category's own products and those below it.
fn with_children(counts: Vec<(String, u64)>) -> HashMap<String, u64> {
    let mut sums = HashMap::new();
    for (path, products) in counts {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            *sums.entry(path[..end].to_owned()).or_default() += products;
        }
    }
    sums
}

fn to_proto(row: store::category::Model, products: u64) -> Category {
    Category { id: row.id.to_string(), path: row.path, name: row.name, products }
}
