//! A house with orders and catalog, what outlives it, and the verbs of buyers and staff.
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, JsonValue, Statement};
use sha2::{Digest, Sha256};
use souk_auth::ServiceTokens;
use souk_catalog::Catalog;
use souk_orders::Orders;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{
    CreateProductRequest, GetProductRequest, ProductFields, UpdateProductRequest,
};
use souk_proto::events::v1::OrderChanged;
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{CheckIntegrityRequest, ListAuditRequest};
use souk_proto::orders::v1 as pb;
use souk_proto::orders::v1::cart_service_client::CartServiceClient;
use souk_proto::orders::v1::order_service_client::OrderServiceClient;
use souk_proto::orders::v1::payment_service_client::PaymentServiceClient;
use souk_proto::orders::v1::place_order_response::Outcome;
use souk_rpc::{CallContext, Failure, Identity, Kind, Transport};
use souk_service::{House, Sources, blueprint};
use souk_storage::Database;
use souk_values::{Clock, Page, UserId};
use tonic::{Response, Status};
use uuid::Uuid;

use souk_testkit::people::{self, Keys};

pub(crate) const SECRET: &str = "known to all the tests of this crate and to nobody else";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// Test numbers of the built-in provider.
pub(crate) const DECLINES: &str = "4000000000000002";
pub(crate) const SECOND_STEP: &str = "4000002500003155";

/// What outlives a process.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dir: std::path::PathBuf,
    /// Of databases on a server; `None`: files.
    pub(crate) stem: Option<String>,
}

impl Place {
    pub(crate) fn file() -> Self {
        Self { dir: fresh_dir(), stem: None }
    }

    pub(crate) async fn server() -> Self {
        let stem = format!("saga_{}", Uuid::now_v7().simple());
        let server = sea_orm::Database::connect(server_url()).await.unwrap();
        for name in ["orders", "catalog"] {
            let create = format!("CREATE DATABASE {stem}_{name}");
            server.execute_unprepared(&create).await.unwrap();
        }
        server.close().await.unwrap();
        Self { dir: fresh_dir(), stem: Some(stem) }
    }

    pub(crate) async fn clear(&self) {
        if let Some(stem) = &self.stem {
            let server = sea_orm::Database::connect(server_url()).await.unwrap();
            for name in ["orders", "catalog"] {
                let drop = format!("DROP DATABASE {stem}_{name} WITH (FORCE)");
                server.execute_unprepared(&drop).await.unwrap();
            }
            server.close().await.unwrap();
        }
        std::fs::remove_dir_all(&self.dir).unwrap();
    }

    /// A process that works with what lies here.
    pub(crate) async fn open(&self, settings: &[(&str, &str)]) -> Stage {
        let mut flags = vec![
            ("data_dir".to_owned(), format!("{:?}", self.dir)),
            ("secrets.service_token".to_owned(), SECRET.to_owned()),
            ("secrets.signing_key".to_owned(), SEED.to_owned()),
            ("grpc.listen".to_owned(), "\"127.0.0.1:0\"".to_owned()),
        ];
        if let Some(stem) = &self.stem {
            let url = server_url();
            let (base, _) = url.rsplit_once('/').unwrap();
            let url = format!("\"{base}/{stem}_{{service}}\"");
            flags.push(("database.url".to_owned(), url));
            flags.push(("database.max_connections".to_owned(), "8".to_owned()));
        }
        let given = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        flags.extend(given);
        let loaded = Sources { flags, ..Sources::default() }.load().unwrap();
        let services = [blueprint::<Keys>(), blueprint::<Catalog>(), blueprint::<Orders>()];
        let house = House::start(&loaded, &services, Clock::system()).await.unwrap();
        Stage { house, place: self.clone() }
    }
}

fn fresh_dir() -> std::path::PathBuf {
    tempfile::tempdir().unwrap().keep()
}

fn server_url() -> String {
    #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
    std::env::var("SOUK_TEST_POSTGRES_URL")
        .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`")
}

pub(crate) struct Stage {
    pub(crate) house: House,
    place: Place,
}

/// Somebody who is logged in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    token: String,
}

impl Person {
    pub(crate) fn new(permissions: &[&str]) -> Self {
        Self::with_id(&UserId::new().to_string(), permissions)
    }

    pub(crate) fn with_id(id: &str, permissions: &[&str]) -> Self {
        let token = people::token_of(id, &Clock::system(), permissions);
        Self { id: id.to_owned(), token }
    }

    /// Whose second factor was given too long ago.
    pub(crate) fn stale(permissions: &[&str]) -> Self {
        let id = UserId::new().to_string();
        let token = people::stale_token_of(&id, &Clock::system(), permissions);
        Self { id, token }
    }

    pub(crate) async fn asks<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        // nobody's deadline counts here: a busy machine is no failure
        let deadline = Some(std::time::Instant::now() + Duration::from_secs(180));
        let token = Some(self.token.as_str().into());
        let context = CallContext { token, deadline, ..CallContext::default() };
        let call = async { call.await.map(Response::into_inner).map_err(Failure::from) };
        souk_rpc::scope(context, call).await
    }
}

/// Somebody who may do everything with orders.
pub(crate) fn staff() -> Person {
    Person::new(&["orders.read", "orders.write"])
}

impl Stage {
    pub(crate) async fn sqlite() -> Self {
        Place::file().open(&[]).await
    }

    pub(crate) async fn postgres() -> Self {
        Place::server().await.open(&[]).await
    }

    /// Everything that must hold does; then everything is cleared away.
    pub(crate) async fn close(self) {
        self.verify().await;
        let place = self.stop().await;
        place.clear().await;
    }

    pub(crate) async fn stop(self) -> Place {
        assert!(self.house.stop().await, "the house did not stop in time");
        self.place
    }

    /// What breaks an invariant, in either service.
    pub(crate) async fn verify(&self) {
        for service in ["catalog", "orders"] {
            let mut client = OperationsServiceClient::new(self.house.transport(service).unwrap());
            let answer = client.check_integrity(CheckIntegrityRequest {}).await.unwrap();
            for check in answer.into_inner().checks {
                assert_eq!(check.broken, 0, "{}: {:?}", check.invariant, check.breaches);
            }
        }
    }

    pub(crate) fn db(&self) -> Database {
        self.house.database("orders").unwrap()
    }

    pub(crate) async fn tamper(&self, sql: &str) {
        let tx = self.db().begin().await.unwrap();
        let done = tx.execute_unprepared(sql).await.unwrap();
        tx.commit().await.unwrap();
        assert_ne!(done.rows_affected(), 0, "{sql}");
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<JsonValue> {
        let db = self.db();
        let backend = db.write().get_database_backend();
        let statement = Statement::from_string(backend, sql.to_owned());
        JsonValue::find_by_statement(statement).all(db.write()).await.unwrap()
    }

    fn transport(&self, to: &'static str) -> Transport {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), Clock::system()));
        let identity = Identity { name: "gateway".into(), tokens };
        let address = self.house.address("grpc").unwrap();
        Transport::remote(to, &format!("http://{address}"), identity).unwrap()
    }

    pub(crate) fn orders(&self) -> OrderServiceClient<Transport> {
        OrderServiceClient::new(self.transport("orders"))
    }

    pub(crate) fn payments(&self) -> PaymentServiceClient<Transport> {
        PaymentServiceClient::new(self.transport("orders"))
    }

    fn products(&self) -> ProductServiceClient<Transport> {
        ProductServiceClient::new(self.house.transport("catalog").unwrap())
    }

    /// A product that costs so much, with so many on the shelf.
    pub(crate) async fn product(&self, price: &str, stock: i64) -> String {
        let fields = ProductFields {
            sku: Some(Uuid::now_v7().simple().to_string()),
            name: Some("A lamp".to_owned()),
            price: Some(price.to_owned()),
            stock: Some(stock),
            ..Default::default()
        };
        let request = CreateProductRequest { fields: Some(fields), ..Default::default() };
        self.products().create_product(request).await.unwrap().into_inner().id
    }

    /// What can be bought now.
    pub(crate) async fn stock(&self, product: &str) -> i64 {
        let request = GetProductRequest { key: product.to_owned(), include_hidden: true };
        let found = self.products().get_product(request).await.unwrap();
        found.into_inner().stock.unwrap()
    }

    pub(crate) async fn reprice(&self, product: &str, price: &str) {
        let fields = ProductFields { price: Some(price.to_owned()), ..Default::default() };
        let request = UpdateProductRequest {
            key: product.to_owned(),
            fields: Some(fields),
            ..Default::default()
        };
        self.products().update_product(request).await.unwrap();
    }

    pub(crate) async fn card(&self, person: &Person, number: &str) -> String {
        let request = pb::CreatePaymentMethodRequest {
            number: number.to_owned(),
            exp_month: 12,
            exp_year: 2040,
            cvc: "123".to_owned(),
            idempotency_key: String::new(),
        };
        person.asks(self.payments().create_payment_method(request)).await.unwrap().token
    }

    pub(crate) async fn add(&self, person: &Person, product: &str, quantity: i64) -> pb::Cart {
        let mut carts = CartServiceClient::new(self.transport("orders"));
        let product = product.to_owned();
        let add = pb::AddItemRequest { product, quantity, ..Default::default() };
        person.asks(carts.add_item(add)).await.unwrap()
    }

    pub(crate) async fn cart(&self, person: &Person) -> pb::Cart {
        let mut carts = CartServiceClient::new(self.transport("orders"));
        person.asks(carts.get_cart(pb::GetCartRequest::default())).await.unwrap()
    }

    /// Orders the cart with this card; empty: the default method.
    pub(crate) async fn place(
        &self,
        person: &Person,
        card: &str,
        key: &str,
    ) -> Result<pb::PlaceOrderResponse, Failure> {
        let payment_method = match card {
            "" => String::new(),
            number => self.card(person, number).await,
        };
        self.place_with(person, checkout(&payment_method), key).await
    }

    pub(crate) async fn place_with(
        &self,
        person: &Person,
        checkout: pb::CheckoutRequest,
        key: &str,
    ) -> Result<pb::PlaceOrderResponse, Failure> {
        let fingerprint = Sha256::digest(format!("{checkout:?}")).to_vec();
        let request = pb::PlaceOrderRequest {
            checkout: Some(checkout),
            idempotency_key: key.to_owned(),
            fingerprint,
        };
        person.asks(self.orders().place_order(request)).await
    }

    /// A confirmed order of so many of the product.
    pub(crate) async fn bought(&self, person: &Person, product: &str, n: i64) -> pb::Order {
        self.add(person, product, n).await;
        let placed = self.place(person, "", "").await.unwrap();
        assert_eq!(placed.outcome(), Outcome::Confirmed, "{placed:?}");
        placed.order.unwrap()
    }

    pub(crate) async fn order(&self, person: &Person, key: &str) -> Result<pb::Order, Failure> {
        let as_staff = true;
        let request = pb::GetOrderRequest { id: key.to_owned(), as_staff };
        person.asks(self.orders().get_order(request)).await
    }

    pub(crate) async fn becomes(&self, id: &str, status: &str) -> pb::Order {
        let staff = staff();
        eventually(&format!("{id} is {status}"), || async {
            Some(self.order(&staff, id).await.unwrap()).filter(|order| order.status == status)
        })
        .await
    }

    /// Staff who looked at the order, as the audit knows.
    pub(crate) async fn readers(&self, id: &str) -> Vec<String> {
        let mut client = OperationsServiceClient::new(self.house.transport("orders").unwrap());
        let (action, target) = ("order.read".to_owned(), format!("order/{id}"));
        let request = ListAuditRequest { action, target, ..Default::default() };
        let found = client.list_audit(request).await.unwrap().into_inner();
        found.items.into_iter().map(|entry| entry.actor).collect()
    }

    pub(crate) async fn cancel(&self, person: &Person, id: &str) -> Result<pb::Order, Failure> {
        let request = pb::CancelOrderRequest { id: id.to_owned(), ..Default::default() };
        person.asks(self.orders().cancel_order(request)).await
    }

    pub(crate) async fn refund(
        &self,
        staff: &Person,
        request: pb::RefundOrderRequest,
    ) -> Result<pb::Order, Failure> {
        staff.asks(self.orders().refund_order(request)).await
    }

    /// What was told of an order, oldest first.
    pub(crate) async fn told(&self, id: &str) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = Page::new(100, &cursor).unwrap();
            let (rows, next) = souk_events::outbox::list(&self.db(), &page, None).await.unwrap();
            let envelopes = rows.into_iter().map(|row| row.envelope);
            all.extend(envelopes.filter(|e| e.subject == format!("order/{id}")));
            match next {
                Some(next) => cursor = next.as_str().to_owned(),
                None => break,
            }
        }
        all.sort_by_key(|envelope| envelope.version);
        all.dedup_by_key(|envelope| envelope.id);
        let told = all.into_iter().map(|e| (e.version, e.decode::<OrderChanged>().unwrap().kind));
        told.collect()
    }
}

/// A checkout that ships to Aachen.
pub(crate) fn checkout(payment_method: &str) -> pb::CheckoutRequest {
    pb::CheckoutRequest {
        payment_method: payment_method.to_owned(),
        shipping_address: Some(pb::Address {
            name: "Ada".to_owned(),
            line1: "1 Lamp Street".to_owned(),
            city: "Aachen".to_owned(),
            postal_code: "52062".to_owned(),
            country: "DE".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Failure>) -> (Kind, String) {
    let failure = result.unwrap_err();
    (failure.kind, failure.reason)
}

/// Waits until `found` answers something; three minutes are for loaded machines, not for the code.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..9_000 {
        ticks.tick().await;
        if let Some(found) = found().await {
            return found;
        }
    }
    panic!("never happened: {what}");
}

/// Runs each test on SQLite and on PostgreSQL, and checks the books after it.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let stage = crate::order::stage::Stage::sqlite().await;
                super::$test(&stage).await;
                stage.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let stage = crate::order::stage::Stage::postgres().await;
                super::$test(&stage).await;
                stage.close().await;
            })*
        }
    };
}
pub(crate) use on_both;
