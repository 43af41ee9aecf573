//! A house with orders and its real neighbours, and the verbs of its staff and its buyers.
use std::sync::Arc;

use chrono::DateTime;
use sea_orm::ConnectionTrait;
use souk_accounts::Accounts;
use souk_auth::ServiceTokens;
use souk_catalog::Catalog;
use souk_orders::Orders;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::address_service_client::AddressServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{CreateUserRequest, LoginRequest, UserFields};
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{CreateProductRequest, Product, ProductFields, StringMap};
use souk_proto::orders::v1 as pb;
use souk_proto::orders::v1::cart_service_client::CartServiceClient;
use souk_proto::orders::v1::order_service_client::OrderServiceClient;
use souk_proto::orders::v1::rules_service_client::RulesServiceClient;
use souk_rpc::{CallContext, Failure, Identity, Kind, Transport};
use souk_service::{House, Sources, blueprint};
use souk_values::Clock;
use tonic::{Response, Status};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery";
const SECRET: &str = "known to all the tests of this crate and to nobody else";
const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

pub(crate) struct Shop {
    house: House,
    pub(crate) clock: Clock,
    dir: tempfile::TempDir,
    server: Option<(String, Vec<String>)>,
}

impl Shop {
    pub(crate) async fn sqlite() -> Self {
        Self::open(None).await
    }

    pub(crate) async fn postgres() -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let stem = format!("rules_{}", Uuid::now_v7().simple());
        let names = ["accounts", "catalog", "orders"].map(|service| format!("{stem}_{service}"));
        let server = sea_orm::Database::connect(&url).await.unwrap();
        for name in &names {
            server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        }
        server.close().await.unwrap();
        let (base, _) = url.rsplit_once('/').unwrap();
        let template = format!("{base}/{stem}_{{service}}");
        let mut shop = Self::open(Some(template)).await;
        shop.server = Some((url, names.to_vec()));
        shop
    }

    async fn open(database: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let mut flags = vec![
            ("data_dir".to_owned(), format!("{:?}", dir.path())),
            ("secrets.service_token".to_owned(), SECRET.to_owned()),
            ("secrets.signing_key".to_owned(), SEED.to_owned()),
            ("grpc.listen".to_owned(), "\"127.0.0.1:0\"".to_owned()),
            ("shop.currency".to_owned(), "EUR".to_owned()),
            ("accounts.argon2.memory_kib".to_owned(), "64".to_owned()),
            ("accounts.argon2.iterations".to_owned(), "1".to_owned()),
            ("accounts.admin_second_factor".to_owned(), "off".to_owned()),
        ];
        if let Some(url) = database {
            flags.push(("database.url".to_owned(), format!("\"{url}\"")));
            flags.push(("database.max_connections".to_owned(), "4".to_owned()));
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

    pub(crate) fn audit(&self) -> souk_audit::Audit {
        self.house.audit("orders").unwrap()
    }

    pub(crate) fn rules(&self) -> RulesServiceClient<Transport> {
        RulesServiceClient::new(self.way("orders"))
    }

    /// As the gateway calls, from another process.
    fn as_gateway(&self, to: &'static str) -> Transport {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), self.clock.clone()));
        let address = self.house.address("grpc").unwrap();
        let identity = Identity { name: "gateway".into(), tokens };
        Transport::remote(to, &format!("http://{address}"), identity).unwrap()
    }

    pub(crate) fn gateway_rules(&self) -> RulesServiceClient<Transport> {
        RulesServiceClient::new(self.as_gateway("orders"))
    }

    pub(crate) fn addresses(&self) -> AddressServiceClient<Transport> {
        AddressServiceClient::new(self.as_gateway("accounts"))
    }

    /// A customer who logs in now: their access token.
    pub(crate) async fn customer(&self, username: &str) -> Arc<str> {
        let fields = UserFields {
            username: Some(username.to_owned()),
            email: Some(format!("{username}@shop.example")),
            password: Some(PASSWORD.to_owned()),
            ..UserFields::default()
        };
        let request = CreateUserRequest { fields: Some(fields), ..Default::default() };
        let mut accounts = AccountServiceClient::new(self.way("accounts"));
        answer(accounts.create_user(request)).await.unwrap();
        let request = LoginRequest {
            login: username.to_owned(),
            password: PASSWORD.to_owned(),
            address: "203.0.113.9".to_owned(),
            ..LoginRequest::default()
        };
        let mut sessions = SessionServiceClient::new(self.way("accounts"));
        answer(sessions.login(request)).await.unwrap().access_token.into()
    }

    /// A product with ten on the shelf and these attributes; "digital" among them makes it so.
    pub(crate) async fn product(
        &self,
        sku: &str,
        price: &str,
        currency: &str,
        attributes: &[(&str, &str)],
    ) -> Product {
        let digital = attributes.iter().any(|(name, _)| *name == "digital");
        let entries = attributes.iter().filter(|(name, _)| *name != "digital");
        let entries = entries.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let kind = if digital {
            souk_proto::catalog::v1::ProductKind::Digital
        } else {
            souk_proto::catalog::v1::ProductKind::Physical
        };
        let fields = ProductFields {
            sku: Some(sku.to_owned()),
            name: Some(format!("Product {sku}")),
            price: Some(price.to_owned()),
            currency: Some(currency.to_owned()),
            stock: (!digital).then_some(10),
            kind: Some(kind.into()),
            attributes: Some(StringMap { values: entries.collect() }),
            ..ProductFields::default()
        };
        let request = CreateProductRequest { fields: Some(fields), ..Default::default() };
        answer(self.products().create_product(request)).await.unwrap()
    }

    pub(crate) fn products(&self) -> ProductServiceClient<Transport> {
        ProductServiceClient::new(self.way("catalog"))
    }

    pub(crate) async fn add(&self, token: &str, sku: &str, quantity: i64) -> pb::Cart {
        let request =
            pb::AddItemRequest { guest_secret: String::new(), product: sku.to_owned(), quantity };
        let mut carts = CartServiceClient::new(self.as_gateway("orders"));
        answer_as(token, carts.add_item(request)).await.unwrap()
    }

    pub(crate) async fn clear(&self, token: &str) {
        let request = pb::ClearCartRequest { guest_secret: String::new() };
        let mut carts = CartServiceClient::new(self.as_gateway("orders"));
        answer_as(token, carts.clear_cart(request)).await.unwrap();
    }

    pub(crate) async fn quote(
        &self,
        token: &str,
        checkout: pb::CheckoutRequest,
    ) -> Result<pb::QuoteResponse, Failure> {
        let mut orders = OrderServiceClient::new(self.as_gateway("orders"));
        answer_as(token, orders.quote(checkout)).await
    }

    pub(crate) async fn put_method(
        &self,
        method: pb::ShippingMethod,
        expected_version: Option<u64>,
    ) -> Result<pb::ShippingMethod, Failure> {
        let request = pb::PutShippingMethodRequest { method: Some(method), expected_version };
        answer(self.rules().put_shipping_method(request)).await
    }

    pub(crate) async fn put_rate(
        &self,
        country: &str,
        class: &str,
        rate_ppm: u32,
        expected_version: Option<u64>,
    ) -> Result<pb::TaxRate, Failure> {
        let (country, class) = (country.to_owned(), class.to_owned());
        let rate = Some(pb::TaxRate { country, class, rate_ppm, version: 0 });
        let request = pb::PutTaxRateRequest { rate, expected_version };
        answer(self.rules().put_tax_rate(request)).await
    }

    pub(crate) async fn put_settings(
        &self,
        prices_include_tax: bool,
        default_country: &str,
        expected_version: Option<u64>,
    ) -> Result<pb::TaxSettings, Failure> {
        let default_country = default_country.to_owned();
        let settings = Some(pb::TaxSettings { prices_include_tax, default_country, version: 0 });
        let request = pb::PutTaxSettingsRequest { settings, expected_version };
        answer(self.rules().put_tax_settings(request)).await
    }

    pub(crate) async fn put_coupon(
        &self,
        coupon: pb::Coupon,
        expected_version: Option<u64>,
    ) -> Result<pb::Coupon, Failure> {
        let request = pb::PutCouponRequest { coupon: Some(coupon), expected_version };
        answer(self.rules().put_coupon(request)).await
    }
}

/// The answer of a call, or its failure as a caller sees it.
pub(crate) async fn answer<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    // nobody's deadline counts here: a busy machine is no failure
    let deadline = Some(std::time::Instant::now() + std::time::Duration::from_secs(180));
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

/// Kind and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (Kind, String) {
    let failure = answer.unwrap_err();
    (failure.kind, failure.reason)
}

pub(crate) fn broken_fields<T: std::fmt::Debug>(answer: Result<T, Failure>) -> Vec<String> {
    let failure = answer.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid, "{failure:?}");
    failure.violations.into_iter().map(|v| v.field).collect()
}
