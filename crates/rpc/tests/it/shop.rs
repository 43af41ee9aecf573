//! A service for the tests: what it does is chosen by the `path` of the request.
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use souk_auth::{MethodTable, Permission, Rule};
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::category_service_server::CategoryService;
use souk_proto::catalog::v1::transfer_service_server::TransferService;
use souk_proto::catalog::v1::{
    Category, CreateCategoryRequest, DeleteCategoryRequest, ExportProductsRequest, FileChunk,
    ImportProductsRequest, ImportProductsResponse, ListCategoriesRequest, ListCategoriesResponse,
    LoadDemoShopRequest, LoadDemoShopResponse, import_products_request::Part,
};
use souk_rpc::{Failure, Kind, Transport, Violation};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) const CREATE: &str = "/souk.catalog.v1.CategoryService/CreateCategory";
pub(crate) const METHODS: MethodTable = &[
    // ListCategories is left out on purpose
    (CREATE, Rule::AnyService),
    (
        "/souk.catalog.v1.CategoryService/DeleteCategory",
        Rule::Permission(Permission::ProductsWrite),
    ),
    ("/souk.catalog.v1.TransferService/ImportProducts", Rule::AnyService),
    ("/souk.catalog.v1.TransferService/ExportProducts", Rule::AnyService),
    ("/souk.catalog.v1.TransferService/LoadDemoShop", Rule::Service(&["gateway"])),
];

#[derive(Clone, Default)]
pub(crate) struct Shop {
    /// Where `hop` leads.
    pub(crate) next: Option<Transport>,
    /// Handlers of `slow` that began, and that ended or were dropped.
    pub(crate) begun: Arc<AtomicUsize>,
    pub(crate) dropped: Arc<AtomicUsize>,
}

struct CountDrop(Arc<AtomicUsize>);
impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a handler knows about the call, as JSON.
fn facts<T>(request: &Request<T>) -> String {
    let caller = souk_rpc::caller(request);
    let context = souk_rpc::current();
    let secrets = ["authorization", "souk-service-token", "souk-target"];
    let leaked = secrets.iter().filter(|name| request.metadata().contains_key(**name)).count();
    json!({
        "service": caller.service.as_deref(),
        "user": caller.user.as_ref().map(|u| u.id.to_string()),
        "context_user": context.caller.user.as_ref().map(|u| u.id.to_string()),
        "request_id": context.request_id.as_deref(),
        "deadline_ms": souk_rpc::deadline().map(|d| d.as_millis() as u64),
        "trace": souk_telemetry::trace_id(),
        "leaked": leaked,
    })
    .to_string()
}

fn named(name: String) -> Result<Response<Category>, Status> {
    Ok(Response::new(Category { name, ..Category::default() }))
}

#[tonic::async_trait]
impl CategoryService for Shop {
    async fn list_categories(
        &self,
        _: Request<ListCategoriesRequest>,
    ) -> Result<Response<ListCategoriesResponse>, Status> {
        Ok(Response::new(ListCategoriesResponse::default()))
    }

    async fn create_category(
        &self,
        request: Request<CreateCategoryRequest>,
    ) -> Result<Response<Category>, Status> {
        match request.get_ref().path.as_str() {
            "facts" => named(facts(&request)),
            "hop" => {
                let next = self.next.clone().ok_or_else(|| Status::internal("no next"))?;
                let ask = CreateCategoryRequest { path: "facts".into(), name: String::new() };
                CategoryServiceClient::new(next).create_category(ask).await
            }
            "slow" => {
                let _drop = CountDrop(self.dropped.clone());
                self.begun.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            }
            "panic" => panic!("the handler of {} fell over", "panic"),
            "invalid" => Err(Failure::invalid(vec![
                Violation::new("name", "must not be empty"),
                Violation::new("path", "must be a slug"),
            ])
            .into()),
            "all_wrong" => {
                let violation = |n| Violation::new(format!("rows[{n}].name"), "x".repeat(1000));
                Err(Failure::invalid((0..500).map(violation).collect()).into())
            }
            path => Err(Failure::new(Kind::NotFound, "category_not_found", "no such category")
                .with("path", path)
                .into()),
        }
    }

    async fn delete_category(
        &self,
        request: Request<DeleteCategoryRequest>,
    ) -> Result<Response<Category>, Status> {
        named(facts(&request))
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<FileChunk, Status>> + Send>>;

#[tonic::async_trait]
impl TransferService for Shop {
    /// Answers with the number of chunks and bytes.
    async fn import_products(
        &self,
        request: Request<Streaming<ImportProductsRequest>>,
    ) -> Result<Response<ImportProductsResponse>, Status> {
        let mut parts = request.into_inner();
        let (mut chunks, mut bytes) = (0, 0);
        while let Some(part) = parts.message().await? {
            if let Some(Part::Chunk(chunk)) = part.part {
                chunks += 1;
                bytes += chunk.len();
            }
        }
        Ok(Response::new(ImportProductsResponse { job_id: format!("{chunks}/{bytes}") }))
    }

    async fn load_demo_shop(
        &self,
        _: Request<LoadDemoShopRequest>,
    ) -> Result<Response<LoadDemoShopResponse>, Status> {
        Ok(Response::new(LoadDemoShopResponse::default()))
    }

    type ExportProductsStream = Chunks;
    /// 1000 chunks that hold their number and the request id of the context; a panic at the fourth
    /// when hidden ones are asked for.
    async fn export_products(
        &self,
        request: Request<ExportProductsRequest>,
    ) -> Result<Response<Chunks>, Status> {
        let broken = request.into_inner().include_hidden;
        let chunks = (0..1000).map(move |n| {
            assert!(!broken || n < 3, "the stream fell over");
            let id = souk_rpc::current().request_id.unwrap_or_default();
            Ok(FileChunk { content: format!("{n} {id}").into_bytes() })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }
}
