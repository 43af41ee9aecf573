//! The catalogue's doors, and who may use them.
mod category;
mod product;
mod stock;
mod transfer;

use souk_auth::{MethodTable, Permission, Rule};
use souk_proto::catalog::v1::category_service_server::CategoryServiceServer;
use souk_proto::catalog::v1::product_service_server::ProductServiceServer;
use souk_proto::catalog::v1::stock_service_server::StockServiceServer;
use souk_proto::catalog::v1::transfer_service_server::TransferServiceServer;
use tonic::Status;
use tonic::service::Routes;

use crate::app::App;
use crate::app::stock::Storeroom;
use crate::error::Error;

/// The gateway for everybody.
const GATEWAY: Rule = Rule::Service(&["gateway"]);
/// And orders for what is bought.
const BUYERS: Rule = Rule::Service(&["gateway", "orders"]);
/// And the notifier for what a newsletter shows.
const LISTERS: Rule = Rule::Service(&["gateway", "notifier"]);
const WRITERS: Rule = Rule::Permission(Permission::ProductsWrite);
/// Who reserves and sells.
const ORDERS: Rule = Rule::Service(&["orders"]);
const STOCK_READERS: Rule = Rule::Permission(Permission::StockRead);

const METHODS: MethodTable = &[
    ("/souk.catalog.v1.ProductService/GetProduct", BUYERS),
    ("/souk.catalog.v1.ProductService/GetProducts", BUYERS),
    ("/souk.catalog.v1.ProductService/ListProducts", LISTERS),
    ("/souk.catalog.v1.ProductService/GetImage", GATEWAY),
    ("/souk.catalog.v1.ProductService/CreateProduct", WRITERS),
    ("/souk.catalog.v1.ProductService/UpdateProduct", WRITERS),
    ("/souk.catalog.v1.ProductService/DeleteProduct", WRITERS),
    ("/souk.catalog.v1.ProductService/RestoreProduct", WRITERS),
    ("/souk.catalog.v1.ProductService/WriteProducts", WRITERS),
    ("/souk.catalog.v1.ProductService/AddImage", WRITERS),
    ("/souk.catalog.v1.CategoryService/ListCategories", GATEWAY),
    ("/souk.catalog.v1.CategoryService/CreateCategory", WRITERS),
    ("/souk.catalog.v1.CategoryService/DeleteCategory", WRITERS),
    ("/souk.catalog.v1.TransferService/ImportProducts", WRITERS),
    ("/souk.catalog.v1.TransferService/ExportProducts", WRITERS),
    ("/souk.catalog.v1.TransferService/LoadDemoShop", Rule::Service(&["operator"])),
    ("/souk.catalog.v1.StockService/Reserve", ORDERS),
    ("/souk.catalog.v1.StockService/Commit", ORDERS),
    ("/souk.catalog.v1.StockService/Release", ORDERS),
    ("/souk.catalog.v1.StockService/ReturnToStock", ORDERS),
    ("/souk.catalog.v1.StockService/GetOrderStock", ORDERS),
    ("/souk.catalog.v1.StockService/GetStock", STOCK_READERS),
    ("/souk.catalog.v1.StockService/MoveStock", Rule::Permission(Permission::StockWrite)),
    ("/souk.catalog.v1.StockService/ListMovements", STOCK_READERS),
];

/// Largest message: a picture, with room for what is around it.
const MAX_MESSAGE: usize = crate::app::image::MAX_BYTES + 64 * 1024;

pub(crate) fn routes(app: &App, storeroom: &Storeroom) -> (Routes, MethodTable) {
    let products = ProductServiceServer::new(product::Products { app: app.clone() })
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let stock = stock::Stocks { app: app.clone(), storeroom: storeroom.clone() };
    let routes = Routes::new(products)
        .add_service(StockServiceServer::new(stock))
        .add_service(CategoryServiceServer::new(category::Categories { app: app.clone() }))
        .add_service(TransferServiceServer::new(transfer::Transfers { app: app.clone() }));
    (routes, METHODS)
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        souk_rpc::Failure::from(error).into()
    }
}
