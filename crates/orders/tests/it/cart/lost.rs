//! Catalog goes away between a change of a cart and its answer: 503 would promise that nothing was
//! done.
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{ConnectionTrait, Statement};
use souk_auth::{MethodTable, Rule, ServiceTokens};
use souk_orders::Orders;
use souk_proto::catalog::v1 as pb;
use souk_proto::catalog::v1::product_service_server::{ProductService, ProductServiceServer};
use souk_proto::orders::v1::cart_service_client::CartServiceClient;
use souk_proto::orders::v1::{AddItemRequest, Cart, RemoveItemRequest, SetQuantityRequest};
use souk_proto::types::v1::Money;
use souk_rpc::{CallContext, Failure, Identity, Kind, Transport};
use souk_service::{Frame, House, Parts, Service, Sources, blueprint};
use souk_storage::Migrations;
use souk_testkit::people::{self, Keys, NoSettings};
use souk_values::{Clock, ProductId};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use uuid::Uuid;

const SECRET: &str = "known to all the tests of this crate and to nobody else";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// A product that can be put into a cart, and not be looked up with others.
const MOODY: &str = "MOODY";
/// One that can not even be found.
const AWAY: &str = "AWAY";

/// A catalog where every SKU is a product.
struct Catalog;

const METHODS: MethodTable = &[
    ("/souk.catalog.v1.ProductService/GetProduct", Rule::AnyService),
    ("/souk.catalog.v1.ProductService/GetProducts", Rule::AnyService),
];

impl Service for Catalog {
    const NAME: &'static str = "catalog";
    const ASKS: &'static [&'static str] = &[];
    const KEEPS: bool = false;
    type Config = NoSettings;

    fn migrations() -> Migrations {
        Vec::new
    }

    fn build(_: Frame, _: NoSettings) -> BoxFuture<'static, anyhow::Result<Parts>> {
        let grpc = Some(Routes::new(ProductServiceServer::new(Shelf)));
        async move { Ok(Parts { grpc, methods: METHODS, ..Parts::default() }) }.boxed()
    }
}

struct Shelf;

/// The same SKU is always the same product.
fn id_of(sku: &str) -> String {
    let mut bytes = [7; 16];
    for (byte, of_sku) in bytes.iter_mut().zip(sku.bytes()) {
        *byte = of_sku;
    }
    ProductId::from_uuid(Uuid::from_bytes(bytes)).to_string()
}

fn away() -> Status {
    Failure::new(Kind::Unavailable, "service_unavailable", "catalog is away").into()
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ProductService for Shelf {
    async fn get_product(&self, request: Request<pb::GetProductRequest>) -> Answer<pb::Product> {
        let sku = request.into_inner().key;
        if sku == AWAY {
            return Err(away());
        }
        Ok(Response::new(pb::Product {
            id: id_of(&sku),
            slug: sku.to_lowercase(),
            name: format!("Product {sku}"),
            sku,
            price: Some(Money { minor: 250, currency: "EUR".to_owned() }),
            stock: Some(9),
            active: true,
            version: 1,
            ..pb::Product::default()
        }))
    }

    async fn get_products(
        &self,
        request: Request<pb::GetProductsRequest>,
    ) -> Answer<pb::GetProductsResponse> {
        if request.into_inner().ids.contains(&id_of(MOODY)) {
            return Err(away());
        }
        Ok(Response::new(pb::GetProductsResponse::default()))
    }

    async fn list_products(
        &self,
        _: Request<pb::ListProductsRequest>,
    ) -> Answer<pb::ListProductsResponse> {
        Err(away())
    }

    async fn create_product(&self, _: Request<pb::CreateProductRequest>) -> Answer<pb::Product> {
        Err(away())
    }

    async fn update_product(&self, _: Request<pb::UpdateProductRequest>) -> Answer<pb::Product> {
        Err(away())
    }

    async fn delete_product(&self, _: Request<pb::DeleteProductRequest>) -> Answer<pb::Product> {
        Err(away())
    }

    async fn restore_product(&self, _: Request<pb::RestoreProductRequest>) -> Answer<pb::Product> {
        Err(away())
    }

    async fn write_products(
        &self,
        _: Request<pb::WriteProductsRequest>,
    ) -> Answer<pb::WriteProductsResponse> {
        Err(away())
    }

    async fn add_image(&self, _: Request<pb::AddImageRequest>) -> Answer<pb::Product> {
        Err(away())
    }

    async fn get_image(&self, _: Request<pb::GetImageRequest>) -> Answer<pb::Image> {
        Err(away())
    }
}

/// Orders beside such a catalog, and somebody with a cart.
struct Town {
    house: House,
    token: String,
    _dir: tempfile::TempDir,
}

impl Town {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let flags = vec![
            ("data_dir".to_owned(), format!("{:?}", dir.path())),
            ("secrets.service_token".to_owned(), SECRET.to_owned()),
            ("secrets.signing_key".to_owned(), SEED.to_owned()),
            ("grpc.listen".to_owned(), "\"127.0.0.1:0\"".to_owned()),
        ];
        let loaded = Sources { flags, ..Sources::default() }.load().unwrap();
        let services = [blueprint::<Keys>(), blueprint::<Catalog>(), blueprint::<Orders>()];
        let clock = Clock::system();
        let house = House::start(&loaded, &services, clock.clone()).await.unwrap();
        Self { house, token: people::token(&clock, &[]).0, _dir: dir }
    }

    /// As the gateway calls, from another process.
    fn carts(&self) -> CartServiceClient<Transport> {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), Clock::system()));
        let identity = Identity { name: "gateway".into(), tokens };
        let address = self.house.address("grpc").unwrap();
        let way = Transport::remote("orders", &format!("http://{address}"), identity).unwrap();
        CartServiceClient::new(way)
    }

    async fn asks(&self, call: impl Future<Output = Answer<Cart>>) -> Result<Cart, Failure> {
        let token = Some(self.token.as_str().into());
        let context = CallContext { token, ..CallContext::default() };
        souk_rpc::scope(context, call).await.map(Response::into_inner).map_err(Failure::from)
    }

    async fn add(&self, product: &str) -> Result<Cart, Failure> {
        let product = product.to_owned();
        let request = AddItemRequest { product, quantity: 2, ..AddItemRequest::default() };
        self.asks(self.carts().add_item(request)).await
    }

    async fn set(&self, product: &str, quantity: i64) -> Result<Cart, Failure> {
        let product = product.to_owned();
        let request = SetQuantityRequest { product, quantity, ..SetQuantityRequest::default() };
        self.asks(self.carts().set_quantity(request)).await
    }

    async fn remove(&self, product: &str) -> Result<Cart, Failure> {
        let product = product.to_owned();
        let request = RemoveItemRequest { product, ..RemoveItemRequest::default() };
        self.asks(self.carts().remove_item(request)).await
    }

    /// SKU and quantity of each line, as they are stored.
    async fn kept(&self) -> Vec<(String, i64)> {
        let db = self.house.database("orders").unwrap();
        let backend = db.write().get_database_backend();
        let sql = "SELECT sku, quantity FROM cart_line ORDER BY position";
        let rows = db.write().query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
        let line = |row: sea_orm::QueryResult| {
            (row.try_get("", "sku").unwrap(), row.try_get("", "quantity").unwrap())
        };
        rows.into_iter().map(line).collect()
    }
}

/// It may have been done: look again.
fn answer_lost(answer: Result<Cart, Failure>) {
    let failure = answer.unwrap_err();
    assert_eq!((failure.kind, failure.reason.as_str()), (Kind::Timeout, "answer_lost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_never_called_undone_when_the_answer_is_lost() {
    let town = Town::new().await;
    let line = |sku: &str, quantity| (sku.to_owned(), quantity);
    town.add(MOODY).await.unwrap();
    // done, and the other line cannot be shown
    answer_lost(town.add("TEA").await);
    assert_eq!(town.kept().await, [line(MOODY, 2), line("TEA", 2)]);
    answer_lost(town.add("TEA").await);
    assert_eq!(town.kept().await, [line(MOODY, 2), line("TEA", 4)]);
    answer_lost(town.set("TEA", 1).await);
    assert_eq!(town.kept().await, [line(MOODY, 2), line("TEA", 1)]);
    answer_lost(town.remove("TEA").await);
    assert_eq!(town.kept().await, [line(MOODY, 2)]);
    // not begun: that is what 503 means
    let refused = town.add(AWAY).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Unavailable, "service_unavailable"));
    assert_eq!(town.kept().await, [line(MOODY, 2)]);
    assert!(town.house.stop().await, "the house did not stop in time");
}
