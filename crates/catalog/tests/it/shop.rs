//! A house in which only the catalogue works, and the verbs of those who use it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::DateTime;
use sea_orm::ConnectionTrait;
use souk_auth::ServiceTokens;
use souk_catalog::Catalog;
use souk_events::Envelope;
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{
    CreateCategoryRequest, CreateProductRequest, DeleteProductRequest, GetProductRequest, Product,
    ProductFields, RestoreProductRequest, UpdateProductRequest,
};
use souk_proto::events::v1::ProductChanged;
use souk_rpc::{CallContext, Failure, Identity, Kind, Transport};
use souk_service::{House, Sources, blueprint};
use souk_storage::Database;
use souk_values::{Clock, Page};
use tonic::{Response, Status};
use uuid::Uuid;

use souk_testkit::people::{self, Keys};

const SECRET: &str = "known to all the tests of this crate and to nobody else";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

pub(crate) struct Shop {
    pub(crate) house: House,
    pub(crate) clock: Clock,
    pub(crate) place: Arc<Place>,
    /// The way of orders, made once.
    orders: OnceLock<Transport>,
}

/// What outlives a process.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    database: Option<(String, String)>,
}

impl Place {
    pub(crate) fn file() -> Arc<Self> {
        Arc::new(Self { dir: tempfile::tempdir().unwrap(), database: None })
    }

    pub(crate) async fn server() -> Arc<Self> {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let name = format!("catalog_{}", Uuid::now_v7().simple());
        let server = sea_orm::Database::connect(&url).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        Arc::new(Self { dir: tempfile::tempdir().unwrap(), database: Some((url, name)) })
    }

    /// Another process' place on the same server.
    pub(crate) fn beside(&self) -> Arc<Self> {
        Arc::new(Self { dir: tempfile::tempdir().unwrap(), database: self.database.clone() })
    }

    /// Removes the database from the server.
    pub(crate) async fn clear(&self) {
        if let Some((url, name)) = &self.database {
            let server = sea_orm::Database::connect(url).await.unwrap();
            server.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            server.close().await.unwrap();
        }
    }

    /// A process that serves the catalogue with what lies here.
    pub(crate) async fn open(self: &Arc<Self>, clock: &Clock) -> Shop {
        let mut flags = vec![
            ("data_dir".to_owned(), format!("{:?}", self.dir.path())),
            ("secrets.service_token".to_owned(), SECRET.to_owned()),
            ("secrets.signing_key".to_owned(), SEED.to_owned()),
            ("grpc.listen".to_owned(), "\"127.0.0.1:0\"".to_owned()),
            ("shop.currency".to_owned(), "GBP".to_owned()),
        ];
        if let Some((url, name)) = &self.database {
            let (base, _) = url.rsplit_once('/').unwrap();
            flags.push(("database.url".to_owned(), format!("\"{base}/{name}\"")));
            flags.push(("database.max_connections".to_owned(), "8".to_owned()));
        }
        let loaded = Sources { flags, ..Sources::default() }.load().unwrap();
        let services = [blueprint::<Keys>(), blueprint::<Catalog>()];
        let house = House::start(&loaded, &services, clock.clone()).await.unwrap();
        Shop { house, clock: clock.clone(), place: self.clone(), orders: OnceLock::new() }
    }
}

/// What a test shop's clock stands at.
pub(crate) fn clock() -> Clock {
    Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap())
}

impl Shop {
    pub(crate) async fn sqlite() -> Self {
        Place::file().open(&clock()).await
    }

    pub(crate) async fn postgres() -> Self {
        Place::server().await.open(&clock()).await
    }

    pub(crate) async fn close(self) {
        assert!(self.house.stop().await, "the house did not stop in time");
        self.place.clear().await;
    }

    /// The operator's way: they may do everything.
    pub(crate) fn operator(&self) -> Transport {
        self.house.transport("catalog").unwrap()
    }

    /// The way of a neighbour in another process.
    pub(crate) fn neighbor(&self, name: &str) -> Transport {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), self.clock.clone()));
        let address = self.house.address("grpc").unwrap();
        let identity = Identity { name: name.into(), tokens };
        Transport::remote("catalog", &format!("http://{address}"), identity).unwrap()
    }

    /// The way of orders in another process.
    pub(crate) fn orders(&self) -> Transport {
        self.orders.get_or_init(|| self.neighbor("orders")).clone()
    }

    pub(crate) fn products(&self) -> ProductServiceClient<Transport> {
        ProductServiceClient::new(self.operator()).max_decoding_message_size(8 * 1024 * 1024)
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.place.dir.path()
    }

    pub(crate) fn db(&self) -> Database {
        self.house.database("catalog").unwrap()
    }

    pub(crate) async fn create(&self, fields: ProductFields) -> Result<Product, Failure> {
        let request = CreateProductRequest { fields: Some(fields), ..Default::default() };
        answer(self.products().create_product(request)).await
    }

    /// A product of which only SKU and price matter.
    pub(crate) async fn product(&self, sku: &str, price: &str) -> Product {
        self.create(named(sku, price)).await.unwrap()
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Product, Failure> {
        let request = GetProductRequest { key: key.to_owned(), include_hidden: false };
        answer(self.products().get_product(request)).await
    }

    pub(crate) async fn update(
        &self,
        key: &str,
        fields: ProductFields,
    ) -> Result<Product, Failure> {
        self.update_at(key, None, fields).await
    }

    pub(crate) async fn update_at(
        &self,
        key: &str,
        expected_version: Option<u64>,
        fields: ProductFields,
    ) -> Result<Product, Failure> {
        let (key, fields) = (key.to_owned(), Some(fields));
        let request = UpdateProductRequest { key, fields, expected_version, ..Default::default() };
        answer(self.products().update_product(request)).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<Product, Failure> {
        let request = DeleteProductRequest { key: key.to_owned(), expected_version: None };
        answer(self.products().delete_product(request)).await
    }

    pub(crate) async fn restore(&self, key: &str) -> Result<Product, Failure> {
        let request = RestoreProductRequest { key: key.to_owned(), expected_version: None };
        answer(self.products().restore_product(request)).await
    }

    pub(crate) async fn category(&self, path: &str) -> Result<(), Failure> {
        let request = CreateCategoryRequest { path: path.to_owned(), name: "A name".to_owned() };
        let mut client = CategoryServiceClient::new(self.operator());
        answer(client.create_category(request)).await.map(|_| ())
    }

    /// What was told of products so far, oldest first.
    pub(crate) async fn events(&self) -> Vec<(Envelope, ProductChanged)> {
        let told = self.told().await.into_iter();
        let of_products = told.filter(|e| e.event_type.starts_with("souk.catalog.product."));
        of_products.map(|e| (e.clone(), e.decode().unwrap())).collect()
    }

    /// All events told so far, oldest first.
    pub(crate) async fn told(&self) -> Vec<Envelope> {
        let db = self.db();
        let mut cursor = String::new();
        let mut all: Vec<Envelope> = Vec::new();
        loop {
            let page = Page::new(100, &cursor).unwrap();
            let (rows, next) = souk_events::outbox::list(&db, &page, None).await.unwrap();
            all.extend(rows.into_iter().map(|row| row.envelope));
            match next {
                Some(next) => cursor = next.as_str().to_owned(),
                None => break,
            }
        }
        all.reverse();
        // a row that moves to the sent ones while being read is seen twice
        all.dedup_by_key(|envelope| envelope.id);
        all
    }

    /// The access token of somebody with these permissions, and their id.
    pub(crate) fn token(&self, permissions: &[&str]) -> (String, String) {
        people::token(&self.clock, permissions)
    }
}

/// Fields of a product that has a SKU, a name made of it and a price.
pub(crate) fn named(sku: &str, price: &str) -> ProductFields {
    ProductFields {
        sku: Some(sku.to_owned()),
        name: Some(format!("Product {sku}")),
        price: Some(price.to_owned()),
        ..Default::default()
    }
}

/// The answer of a call, or its failure as a caller sees it.
pub(crate) async fn answer<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    // nobody's deadline counts here: a busy machine is no failure
    let deadline = Some(std::time::Instant::now() + Duration::from_secs(180));
    let context = CallContext { deadline, ..souk_rpc::current() };
    souk_rpc::scope(context, call).await.map(Response::into_inner).map_err(Failure::from)
}

/// The answer of a call on behalf of the user of this access token.
pub(crate) async fn answer_as<T>(
    token: &str,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    let context = CallContext { token: Some(token.into()), ..CallContext::default() };
    souk_rpc::scope(context, answer(call)).await
}

pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Failure>) -> (Kind, String) {
    let failure = result.unwrap_err();
    (failure.kind, failure.reason)
}

pub(crate) fn broken_fields<T: std::fmt::Debug>(result: Result<T, Failure>) -> Vec<String> {
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    failure.violations.into_iter().map(|v| v.field).collect()
}

/// Waits until `found` answers something; three minutes are for loaded machines, not for the code.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..36_000 {
        ticks.tick().await;
        if let Some(found) = found().await {
            return found;
        }
    }
    panic!("never happened: {what}");
}
