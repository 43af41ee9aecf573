//! A house with catalog and orders, and what buyers and staff do in it.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, JsonValue, Statement};
use souk_auth::ServiceTokens;
use souk_catalog::Catalog;
use souk_orders::Orders;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{CreateProductRequest, ProductFields};
use souk_proto::orders::v1::cart_service_client::CartServiceClient;
use souk_proto::orders::v1::order_service_client::OrderServiceClient;
use souk_proto::orders::v1::payment_service_client::PaymentServiceClient;
use souk_proto::orders::v1::{
    AddItemRequest, Address, CheckoutRequest, CreatePaymentMethodRequest, Difference,
    GetOrderRequest, ListDifferencesRequest, Order, PaymentMethod, PlaceOrderRequest,
    PlaceOrderResponse, ReceiveWebhookRequest, ReceiveWebhookResponse,
};
use souk_rpc::{CallContext, Failure, Identity, Transport};
use souk_service::{House, Sources, blueprint};
use souk_storage::Database;
use souk_testkit::people::{self, Keys};
use souk_values::Clock;
use tonic::{Response, Status};
use uuid::Uuid;

const SECRET: &str = "known to all the tests of this crate and to nobody else";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

pub(crate) struct Desk {
    house: House,
    clock: Clock,
    pub(crate) dir: tempfile::TempDir,
    servers: Option<(String, Vec<String>)>,
}

/// Somebody who is logged in.
pub(crate) struct Person {
    token: String,
}

impl Desk {
    pub(crate) async fn sqlite(settings: &[(&str, &str)]) -> Self {
        Self::open(settings, None).await
    }

    pub(crate) async fn postgres(settings: &[(&str, &str)]) -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let mark = Uuid::now_v7().simple().to_string();
        let names = ["orders", "catalog"].map(|service| format!("pay_{mark}_{service}"));
        let server = sea_orm::Database::connect(&url).await.unwrap();
        for name in &names {
            server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        }
        server.close().await.unwrap();
        Self::open(settings, Some((url, mark, names.to_vec()))).await
    }

    async fn open(settings: &[(&str, &str)], own: Option<(String, String, Vec<String>)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut flags = vec![
            ("data_dir".to_owned(), format!("{:?}", dir.path())),
            ("secrets.service_token".to_owned(), SECRET.to_owned()),
            ("secrets.signing_key".to_owned(), SEED.to_owned()),
            ("grpc.listen".to_owned(), "\"127.0.0.1:0\"".to_owned()),
            ("payments.reconcile_s".to_owned(), "1".to_owned()),
        ];
        if let Some((url, mark, _)) = &own {
            let (base, _) = url.rsplit_once('/').unwrap();
            let url = format!("\"{base}/pay_{mark}_{{service}}\"");
            flags.push(("database.url".to_owned(), url));
            flags.push(("database.max_connections".to_owned(), "8".to_owned()));
        }
        flags
            .extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let loaded = Sources { flags, ..Sources::default() }.load().unwrap();
        let services = [blueprint::<Keys>(), blueprint::<Catalog>(), blueprint::<Orders>()];
        let clock = Clock::system();
        let house = House::start(&loaded, &services, clock.clone()).await.unwrap();
        let servers = own.map(|(url, _, names)| (url, names));
        Self { house, clock, dir, servers }
    }

    pub(crate) async fn close(self) {
        assert!(self.house.stop().await, "the house did not stop in time");
        if let Some((url, names)) = self.servers {
            let server = sea_orm::Database::connect(url).await.unwrap();
            for name in names {
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                server.execute_unprepared(&drop).await.unwrap();
            }
            server.close().await.unwrap();
        }
    }

    pub(crate) fn db(&self) -> Database {
        self.house.database("orders").unwrap()
    }

    /// Changes the books behind everybody's back.
    pub(crate) async fn tamper(&self, sql: &str) {
        let db = self.db();
        let tx = db.begin().await.unwrap();
        let done = tx.execute_unprepared(sql).await.unwrap();
        tx.commit().await.unwrap();
        assert_ne!(done.rows_affected(), 0, "{sql}");
    }

    /// The rows of a query.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<JsonValue> {
        let db = self.db();
        let backend = db.write().get_database_backend();
        let statement = Statement::from_string(backend, sql.to_owned());
        JsonValue::find_by_statement(statement).all(db.write()).await.unwrap()
    }

    fn transport(&self, to: &'static str) -> Transport {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), self.clock.clone()));
        let identity = Identity { name: "gateway".into(), tokens };
        let address = self.house.address("grpc").unwrap();
        Transport::remote(to, &format!("http://{address}"), identity).unwrap()
    }

    pub(crate) fn payments(&self) -> PaymentServiceClient<Transport> {
        PaymentServiceClient::new(self.transport("orders"))
    }

    pub(crate) fn person(&self, permissions: &[&str]) -> Person {
        Person { token: people::token(&self.clock, permissions).0 }
    }

    /// A product with stock.
    pub(crate) async fn product(&self, price: &str) -> String {
        let fields = ProductFields {
            sku: Some(Uuid::now_v7().simple().to_string()),
            name: Some("A lamp".to_owned()),
            price: Some(price.to_owned()),
            stock: Some(1_000),
            ..Default::default()
        };
        let request = CreateProductRequest { fields: Some(fields), ..Default::default() };
        let mut products = ProductServiceClient::new(self.house.transport("catalog").unwrap());
        products.create_product(request).await.unwrap().into_inner().id
    }

    pub(crate) async fn card(
        &self,
        person: &Person,
        number: &str,
    ) -> Result<PaymentMethod, Failure> {
        self.card_once(person, number, "").await
    }

    /// The same with a key.
    pub(crate) async fn card_once(
        &self,
        person: &Person,
        number: &str,
        key: &str,
    ) -> Result<PaymentMethod, Failure> {
        let request = CreatePaymentMethodRequest {
            number: number.to_owned(),
            exp_month: 12,
            exp_year: 2040,
            cvc: if number.starts_with("37") { "1234" } else { "123" }.to_owned(),
            idempotency_key: key.to_owned(),
        };
        answer_as(person, self.payments().create_payment_method(request)).await
    }

    /// One lamp for 50.00, paid by a card with this number; empty: the default method.
    pub(crate) async fn buy(&self, person: &Person, number: &str) -> PlaceOrderResponse {
        let token = match number {
            "" => String::new(),
            number => self.card(person, number).await.unwrap().token,
        };
        self.buy_with(person, token).await
    }

    /// One lamp, paid with this token.
    pub(crate) async fn buy_with(
        &self,
        person: &Person,
        payment_method: String,
    ) -> PlaceOrderResponse {
        self.try_to_buy_with(person, payment_method).await.unwrap()
    }

    /// The same, which may be refused before there is an order.
    pub(crate) async fn try_to_buy_with(
        &self,
        person: &Person,
        payment_method: String,
    ) -> Result<PlaceOrderResponse, Failure> {
        let product = self.product("50").await;
        let mut carts = CartServiceClient::new(self.transport("orders"));
        let add = AddItemRequest { product, quantity: 1, ..Default::default() };
        answer_as(person, carts.add_item(add)).await.unwrap();
        let checkout = CheckoutRequest {
            payment_method,
            shipping_address: Some(Address {
                name: "Ada".to_owned(),
                line1: "1 Lamp Street".to_owned(),
                city: "Aachen".to_owned(),
                postal_code: "52062".to_owned(),
                country: "DE".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = PlaceOrderRequest { checkout: Some(checkout), ..Default::default() };
        let mut orders = OrderServiceClient::new(self.transport("orders"));
        answer_as(person, orders.place_order(request)).await
    }

    pub(crate) async fn order(&self, person: &Person, id: &str) -> Order {
        let mut orders = OrderServiceClient::new(self.transport("orders"));
        let request = GetOrderRequest { id: id.to_owned(), as_staff: false };
        answer_as(person, orders.get_order(request)).await.unwrap()
    }

    /// Waits until the order has this status.
    pub(crate) async fn becomes(&self, person: &Person, id: &str, status: &str) -> Order {
        eventually(&format!("{id} is {status}"), || async {
            Some(self.order(person, id).await).filter(|order| order.status == status)
        })
        .await
    }

    pub(crate) async fn differences(&self) -> Vec<Difference> {
        let staff = self.person(&["orders.read"]);
        let mut payments = self.payments();
        let found = answer_as(&staff, payments.list_differences(ListDifferencesRequest {})).await;
        found.unwrap().items
    }

    /// Waits for a difference of this order in this condition.
    pub(crate) async fn difference(&self, order: &str, kind: &str, open: bool) -> Difference {
        eventually(&format!("{kind} of {order}, open: {open}"), || async {
            let all = self.differences().await;
            all.into_iter().find(|d| d.order_id == order && d.kind == kind && d.open == open)
        })
        .await
    }

    pub(crate) async fn webhook(
        &self,
        provider: &str,
        header: Option<&str>,
        body: &[u8],
    ) -> Result<ReceiveWebhookResponse, Failure> {
        let header = header.map(|value| ("stripe-signature".to_owned(), value.to_owned()));
        let headers: HashMap<String, String> = header.into_iter().collect();
        let request =
            ReceiveWebhookRequest { provider: provider.to_owned(), body: body.to_vec(), headers };
        let answer = self.payments().receive_webhook(request).await;
        answer.map(Response::into_inner).map_err(Failure::from)
    }
}

/// The answer of a call on behalf of a person.
pub(crate) async fn answer_as<T>(
    person: &Person,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    // nobody's deadline counts here: a busy machine is no failure
    let deadline = Some(std::time::Instant::now() + Duration::from_secs(180));
    let token = Some(person.token.as_str().into());
    let context = CallContext { token, deadline, ..CallContext::default() };
    souk_rpc::scope(context, async { call.await.map(Response::into_inner).map_err(Failure::from) })
        .await
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

pub(crate) fn now_unix() -> i64 {
    Clock::system().now().timestamp()
}
