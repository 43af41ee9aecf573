//! A house with orders, catalog and accounts, and the verbs of those who fill carts.
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use sea_orm::{ConnectionTrait, Statement};
use souk_accounts::Accounts;
use souk_auth::ServiceTokens;
use souk_catalog::Catalog;
use souk_orders::Orders;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{
    CreateUserRequest, DeleteUserRequest, LoginRequest, LogoutRequest, SessionTokens, UserFields,
};
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{
    CreateProductRequest, DeleteProductRequest, Product, ProductFields, ProductKind,
    RestoreProductRequest, UpdateProductRequest, WriteProductsRequest,
};
use souk_proto::orders::v1::cart_service_client::CartServiceClient;
use souk_proto::orders::v1::{
    AddItemRequest, Cart, ClearCartRequest, CreateGuestCartRequest, GetCartRequest, GuestCart,
    MergeGuestCartRequest, RemoveItemRequest, SetQuantityRequest,
};
use souk_rpc::{CallContext, Failure, Identity, Kind, Transport};
use souk_service::{House, Sources, blueprint};
use souk_values::{CartId, Clock, ProductId};
use tonic::{Response, Status};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery";
const SECRET: &str = "known to all the tests of this crate and to nobody else";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

pub(crate) struct Shop {
    house: House,
    clock: Clock,
    dir: tempfile::TempDir,
    server: Option<(String, Vec<String>)>,
}

/// Who asks: a token, a guest's secret, both or neither.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    pub(crate) token: Option<Arc<str>>,
    pub(crate) secret: String,
    pub(crate) refresh: String,
    pub(crate) user_id: String,
}

impl Who {
    pub(crate) fn guest(secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..Self::default() }
    }

    pub(crate) fn with(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }
}

impl Shop {
    /// `clearing`: carts are emptied at logout.
    pub(crate) async fn sqlite(clearing: bool) -> Self {
        Self::open(None, clearing).await
    }

    pub(crate) async fn postgres(clearing: bool) -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let stem = format!("carts_{}", Uuid::now_v7().simple());
        let names = ["accounts", "catalog", "orders"].map(|service| format!("{stem}_{service}"));
        let server = sea_orm::Database::connect(&url).await.unwrap();
        for name in &names {
            server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        }
        server.close().await.unwrap();
        let (base, _) = url.rsplit_once('/').unwrap();
        let mut shop = Self::open(Some(format!("{base}/{stem}_{{service}}")), clearing).await;
        shop.server = Some((url, names.to_vec()));
        shop
    }

    async fn open(database: Option<String>, clearing: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let mut flags = vec![
            ("data_dir".to_owned(), format!("{:?}", dir.path())),
            ("secrets.service_token".to_owned(), SECRET.to_owned()),
            ("secrets.signing_key".to_owned(), SEED.to_owned()),
            ("grpc.listen".to_owned(), "\"127.0.0.1:0\"".to_owned()),
            ("shop.currency".to_owned(), "GBP".to_owned()),
            ("orders.clear_cart_at_logout".to_owned(), clearing.to_string()),
            ("accounts.argon2.memory_kib".to_owned(), "64".to_owned()),
            ("accounts.argon2.iterations".to_owned(), "1".to_owned()),
            ("accounts.admin_second_factor".to_owned(), "off".to_owned()),
        ];
        if let Some(url) = database {
            flags.push(("database.url".to_owned(), format!("\"{url}\"")));
            flags.push(("database.max_connections".to_owned(), "6".to_owned()));
        }
        let loaded = Sources { flags, ..Sources::default() }.load().unwrap();
        let services = [blueprint::<Accounts>(), blueprint::<Catalog>(), blueprint::<Orders>()];
        let house = House::start(&loaded, &services, clock.clone()).await.unwrap();
        Self { house, clock, dir, server: None }
    }

    pub(crate) async fn close(self) {
        assert!(self.house.stop().await, "the house did not stop in time");
        drop(self.dir);
        if let Some((url, names)) = self.server {
            let server = sea_orm::Database::connect(&url).await.unwrap();
            for name in names {
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                server.execute_unprepared(&drop).await.unwrap();
            }
            server.close().await.unwrap();
        }
    }

    fn way(&self, to: &'static str) -> Transport {
        self.house.transport(to).unwrap()
    }

    /// A customer who logs in now.
    pub(crate) async fn customer(&self, username: &str) -> Who {
        let fields = UserFields {
            username: Some(username.to_owned()),
            email: Some(format!("{username}@shop.example")),
            password: Some(PASSWORD.to_owned()),
            ..UserFields::default()
        };
        let request = CreateUserRequest { fields: Some(fields), ..Default::default() };
        let mut accounts = AccountServiceClient::new(self.way("accounts"));
        answer(accounts.create_user(request)).await.unwrap();
        self.log_in(username).await
    }

    pub(crate) async fn log_in(&self, username: &str) -> Who {
        let request = LoginRequest {
            login: username.to_owned(),
            password: PASSWORD.to_owned(),
            address: "203.0.113.9".to_owned(),
            ..LoginRequest::default()
        };
        let mut sessions = SessionServiceClient::new(self.way("accounts"));
        let tokens: SessionTokens = answer(sessions.login(request)).await.unwrap();
        Who {
            token: Some(tokens.access_token.into()),
            refresh: tokens.refresh_token,
            user_id: tokens.user.unwrap().id,
            secret: String::new(),
        }
    }

    pub(crate) async fn log_out(&self, who: &Who) {
        let request = LogoutRequest { refresh_token: who.refresh.clone(), ..Default::default() };
        let mut sessions = SessionServiceClient::new(self.way("accounts"));
        answer(sessions.logout(request)).await.unwrap();
    }

    pub(crate) async fn delete_user(&self, who: &Who) {
        let request = DeleteUserRequest { id: who.user_id.clone(), ..Default::default() };
        let mut accounts = AccountServiceClient::new(self.way("accounts"));
        answer(accounts.delete_user(request)).await.unwrap();
    }

    fn products(&self) -> ProductServiceClient<Transport> {
        ProductServiceClient::new(self.way("catalog"))
    }

    /// A product in pounds with so many on the shelf; `None`: a digital one.
    pub(crate) async fn product(&self, sku: &str, price: &str, stock: Option<i64>) -> Product {
        self.product_in("GBP", sku, price, stock).await
    }

    pub(crate) async fn product_in(
        &self,
        currency: &str,
        sku: &str,
        price: &str,
        stock: Option<i64>,
    ) -> Product {
        let kind = if stock.is_some() { ProductKind::Physical } else { ProductKind::Digital };
        let fields = ProductFields {
            sku: Some(sku.to_owned()),
            name: Some(format!("Product {sku}")),
            price: Some(price.to_owned()),
            currency: Some(currency.to_owned()),
            kind: Some(kind.into()),
            stock,
            ..ProductFields::default()
        };
        let request = CreateProductRequest { fields: Some(fields), ..Default::default() };
        answer(self.products().create_product(request)).await.unwrap()
    }

    pub(crate) async fn change(&self, key: &str, fields: ProductFields) {
        let (key, fields) = (key.to_owned(), Some(fields));
        let request = UpdateProductRequest { key, fields, ..Default::default() };
        answer(self.products().update_product(request)).await.unwrap();
    }

    pub(crate) async fn hide(&self, key: &str) {
        let request = DeleteProductRequest { key: key.to_owned(), expected_version: None };
        answer(self.products().delete_product(request)).await.unwrap();
    }

    pub(crate) async fn unhide(&self, key: &str) {
        let request = RestoreProductRequest { key: key.to_owned(), expected_version: None };
        answer(self.products().restore_product(request)).await.unwrap();
    }

    /// As the gateway calls, from another process.
    fn carts(&self) -> CartServiceClient<Transport> {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), self.clock.clone()));
        let address = self.house.address("grpc").unwrap();
        let identity = Identity { name: "gateway".into(), tokens };
        let way = Transport::remote("orders", &format!("http://{address}"), identity).unwrap();
        CartServiceClient::new(way).max_decoding_message_size(16 * 1024 * 1024)
    }

    pub(crate) async fn guest(&self) -> GuestCart {
        answer(self.carts().create_guest_cart(CreateGuestCartRequest {})).await.unwrap()
    }

    pub(crate) async fn look(&self, who: &Who) -> Result<Cart, Failure> {
        let request = GetCartRequest { guest_secret: who.secret.clone() };
        who.asks(self.carts().get_cart(request)).await
    }

    pub(crate) async fn add(&self, who: &Who, key: &str, quantity: i64) -> Result<Cart, Failure> {
        let (guest_secret, product) = (who.secret.clone(), key.to_owned());
        let request = AddItemRequest { guest_secret, product, quantity };
        who.asks(self.carts().add_item(request)).await
    }

    pub(crate) async fn set(&self, who: &Who, key: &str, quantity: i64) -> Result<Cart, Failure> {
        self.set_at(who, key, quantity, None).await
    }

    pub(crate) async fn set_at(
        &self,
        who: &Who,
        key: &str,
        quantity: i64,
        expected_version: Option<u64>,
    ) -> Result<Cart, Failure> {
        let (guest_secret, product) = (who.secret.clone(), key.to_owned());
        let request = SetQuantityRequest { guest_secret, product, quantity, expected_version };
        who.asks(self.carts().set_quantity(request)).await
    }

    pub(crate) async fn remove(&self, who: &Who, key: &str) -> Result<Cart, Failure> {
        let request =
            RemoveItemRequest { guest_secret: who.secret.clone(), product: key.to_owned() };
        who.asks(self.carts().remove_item(request)).await
    }

    pub(crate) async fn clear(&self, who: &Who) -> Result<Cart, Failure> {
        let request = ClearCartRequest { guest_secret: who.secret.clone() };
        who.asks(self.carts().clear_cart(request)).await
    }

    pub(crate) async fn merge(&self, who: &Who) -> Result<(), Failure> {
        let request = MergeGuestCartRequest { guest_secret: who.secret.clone() };
        who.asks(self.carts().merge_guest_cart(request)).await.map(|_| ())
    }

    /// So many more products, each once in the cart; straight into the table, for speed.
    pub(crate) async fn fill(&self, who: &Who, count: usize) {
        let names: Vec<String> = (0..count).map(|n| format!("F{n:05}")).collect();
        let mut ids = Vec::new();
        for some in names.chunks(500) {
            let items = some.iter().map(|sku| ProductFields {
                sku: Some(sku.clone()),
                name: Some(format!("Product {sku}")),
                price: Some("0.10".to_owned()),
                stock: Some(1),
                ..ProductFields::default()
            });
            let request = WriteProductsRequest { items: items.collect(), ..Default::default() };
            let written = answer(self.products().write_products(request)).await.unwrap();
            ids.extend(written.results.into_iter().map(|r| r.id.parse::<ProductId>().unwrap()));
        }
        let cart: CartId = self.look(who).await.unwrap().id.parse().unwrap();
        let db = self.house.database("orders").unwrap();
        let backend = db.write().get_database_backend();
        for (number, id) in ids.into_iter().enumerate() {
            let sql = "INSERT INTO cart_line (cart_id, product_id, quantity, seen_price, \
                       seen_currency, seen_version, gone, sku, slug, name, image, kind, position) \
                       VALUES ($1, $2, 1, 10, 'GBP', 1, false, 'x', 'x', 'x', '', 'physical', $3)";
            let position = i64::try_from(number).unwrap() + 10;
            let values = [cart.into(), id.into(), position.into()];
            let insert = Statement::from_sql_and_values(backend, sql, values);
            db.write().execute_raw(insert).await.unwrap();
        }
    }

    /// How many rows the SQL counts in the database of orders.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        let db = self.house.database("orders").unwrap();
        let backend = db.write().get_database_backend();
        let sql = format!("SELECT COUNT(*) AS n FROM {from}");
        let row = db.write().query_one_raw(Statement::from_string(backend, sql)).await;
        row.unwrap().unwrap().try_get("", "n").unwrap()
    }
}

impl Who {
    async fn asks<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let context = CallContext { token: self.token.clone(), ..CallContext::default() };
        souk_rpc::scope(context, answer(call)).await
    }
}

async fn answer<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Failure> {
    // nobody's deadline counts here: a busy machine is no failure
    let deadline = Some(std::time::Instant::now() + Duration::from_secs(180));
    let context = CallContext { deadline, ..souk_rpc::current() };
    souk_rpc::scope(context, call).await.map(Response::into_inner).map_err(Failure::from)
}

pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (Kind, String) {
    let failure = answer.unwrap_err();
    (failure.kind, failure.reason)
}

/// SKU, quantity and line total of each line.
pub(crate) fn lines(cart: &Cart) -> Vec<(&str, i64, i64)> {
    cart.items.iter().map(|l| (l.sku.as_str(), l.quantity, l.line_total_minor)).collect()
}

/// What changed, line by line.
pub(crate) fn changes(cart: &Cart) -> Vec<Vec<&str>> {
    cart.items.iter().map(|line| line.changes.iter().map(String::as_str).collect()).collect()
}

/// Waits until it is so; three minutes are for loaded machines, not for the code.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..36_000 {
        ticks.tick().await;
        if so().await {
            return;
        }
    }
    panic!("never happened: {what}");
}
