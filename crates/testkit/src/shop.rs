//! A running shop for tests, in this process and on ports of its own.
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use souk_proto::accounts::v1::CreateFirstAdminRequest;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_service::{Blueprint, House, Loaded, Sources};
use souk_values::Clock;
use tokio::sync::OnceCell;

use crate::client::{self, Client, Seen};
use crate::ses::FakeSes;
use crate::{Backend, Storehouse};

/// The first admin of every shop here.
pub const ADMIN_EMAIL: &str = "admin@souk.test";
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";
/// Of everybody whom [`Shop::person`] makes.
pub const PASSWORD: &str = "a long enough pass phrase";

/// What a shop is to be like, before it opens.
pub struct ShopPlan {
    pub(crate) backend: Backend,
    pub(crate) blueprints: Vec<Blueprint>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) ses: bool,
    pub(crate) split: bool,
    pub(crate) anywhere: bool,
    pub(crate) clock: Clock,
}

/// A shop that answers.
pub struct Shop {
    base: String,
    login: (String, String),
    admin: OnceCell<Client>,
    http: reqwest::Client,
    seen: Seen,
    houses: Vec<House>,
    blueprints: Vec<Blueprint>,
    store: Option<Arc<Storehouse>>,
    settings: Vec<(String, String)>,
    clock: Clock,
}

impl Shop {
    /// `blueprints`: those of the services, as the program has them.
    pub fn plan(backend: Backend, blueprints: Vec<Blueprint>) -> ShopPlan {
        ShopPlan {
            backend,
            blueprints,
            settings: Vec::new(),
            ses: false,
            split: false,
            anywhere: false,
            clock: Clock::system(),
        }
    }

    /// A shop that somebody else keeps.
    pub fn at(base: &str, admin_email: &str, admin_password: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            login: (admin_email.to_owned(), admin_password.to_owned()),
            admin: OnceCell::new(),
            http: client::http(),
            seen: Seen::default(),
            houses: Vec::new(),
            blueprints: Vec::new(),
            store: None,
            settings: Vec::new(),
            clock: Clock::system(),
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where metrics answer.
    pub fn operator(&self) -> String {
        format!("http://{}", self.address("operator"))
    }

    fn address(&self, listener: &str) -> std::net::SocketAddr {
        let found = self.houses.iter().find_map(|house| house.address(listener));
        found.unwrap_or_else(|| panic!("nothing here listens as {listener}"))
    }

    /// The process that holds a service.
    pub fn house(&self, service: &str) -> &House {
        let found = self.houses.iter().find(|house| house.services().contains(&service));
        found.unwrap_or_else(|| panic!("{service} is not in this process"))
    }

    /// Whether the shop is this test's own, so that nobody else writes to it.
    pub fn is_own(&self) -> bool {
        self.store.is_some()
    }

    pub fn store(&self) -> &Storehouse {
        self.store.as_ref().expect("the shop is of this process")
    }

    pub fn ses(&self) -> &FakeSes {
        self.store().ses().expect("planned with_ses")
    }

    /// Everything that was answered so far.
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }

    pub fn anonymous(&self) -> Client {
        let (http, base) = (self.http.clone(), self.base.clone());
        Client { http, base, token: None, seen: self.seen.clone() }
    }

    /// The first admin, logged in.
    pub async fn admin(&self) -> Client {
        let (email, password) = &self.login;
        self.admin.get_or_init(|| self.log_in(email, password)).await.clone()
    }

    /// Somebody who exists, logged in.
    pub async fn log_in(&self, email: &str, password: &str) -> Client {
        let anonymous = self.anonymous();
        let body = json!({ "email": email, "password": password });
        let answer = anonymous.post("/api/auth/login", &body).await;
        answer.expect(200);
        anonymous.with_token(&answer.field("access_token"))
    }

    /// A new customer, logged in.
    pub async fn customer(&self) -> Client {
        self.person("customer").await.1
    }

    /// A new account of that role, logged in: its description and its client. The password is [`PASSWORD`].
    pub async fn person(&self, role: &str) -> (Value, Client) {
        let name = format!("p{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let body = json!({
            "username": name, "email": format!("{name}@people.test"), "full_name": "Ada Probe",
            "password": PASSWORD, "role": role,
        });
        let user = self.admin().await.post("/api/users", &body).await.expect(201);
        let client = self.log_in(&format!("{name}@people.test"), PASSWORD).await;
        (user, client)
    }

    /// Another gateway to the same services; the answer is its address. Needs servers and `grpc.listen`.
    pub async fn second_gateway(&mut self) -> String {
        let store = self.store.clone().expect("the shop is of this process");
        let url = format!("http://{}", self.address("grpc"));
        let mut settings = self.settings.clone();
        settings.retain(|(key, _)| key != "grpc.listen");
        for service in ["accounts", "catalog", "analytics", "notifier", "orders"] {
            settings.push((format!("services.{service}.url"), url.clone()));
        }
        let gateway: Vec<Blueprint> =
            self.blueprints.iter().copied().filter(|b| b.name == "gateway").collect();
        let house = start(&store, &settings, &gateway, &self.clock).await;
        let base = format!("http://{}", house.address("gateway").expect("it listens"));
        self.houses.push(house);
        base
    }

    /// Stops everything in order and says whether it all ended by itself in time.
    pub async fn close(self) -> bool {
        let mut clean = true;
        // the last one asks the others
        for house in self.houses.into_iter().rev() {
            clean &= house.stop().await;
        }
        clean
    }
}

impl ShopPlan {
    /// A setting by its dotted name.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Letters leave through an SES of the test's own instead of a folder.
    #[must_use]
    pub fn with_ses(mut self) -> Self {
        self.ses = true;
        self
    }

    /// Every service in a process of its own, as far as one process can play that: they meet over sockets only.
    #[must_use]
    pub fn split(mut self) -> Self {
        self.split = true;
        self
    }

    /// The journey may also be made in a shop that somebody else keeps: `SOUK_URL`.
    #[must_use]
    pub fn anywhere(mut self) -> Self {
        self.anywhere = true;
        self
    }

    /// The shop's time of day is the test's.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// Opens it.
    pub async fn open(self) -> Shop {
        if self.anywhere && std::env::var_os("SOUK_URL").is_some() {
            let of = |name| crate::storehouse::variable(name);
            return Shop::at(&of("SOUK_URL"), &of("SOUK_ADMIN_EMAIL"), &of("SOUK_ADMIN_PASSWORD"));
        }
        let mut store = Storehouse::new(self.backend).await;
        if self.ses {
            store = store.with_ses().await;
        }
        let store = Arc::new(store);
        let mut settings = vec![
            ("gateway.listen".to_owned(), "127.0.0.1:0".to_owned()),
            ("gateway.operator_listen".to_owned(), "127.0.0.1:0".to_owned()),
        ];
        settings.extend(self.settings);
        let houses = if self.split {
            crate::split::start(&store, &settings, &self.blueprints, &self.clock).await
        } else {
            vec![start(&store, &settings, &self.blueprints, &self.clock).await]
        };
        let mut shop = Shop::at("", ADMIN_EMAIL, ADMIN_PASSWORD);
        shop.houses = houses;
        shop.base = format!("http://{}", shop.address("gateway"));
        shop.store = Some(store);
        shop.blueprints = self.blueprints;
        shop.settings = settings;
        shop.clock = self.clock;
        shop.first_admin().await;
        shop
    }
}

impl Shop {
    async fn first_admin(&self) {
        let accounts = self.house("accounts").transport("accounts").expect("accounts is here");
        let request = CreateFirstAdminRequest {
            email: ADMIN_EMAIL.to_owned(),
            username: "admin".to_owned(),
            password: ADMIN_PASSWORD.to_owned(),
        };
        let mut client = AccountServiceClient::new(accounts);
        let made =
            tokio::time::timeout(Duration::from_secs(180), client.create_first_admin(request));
        made.await.expect("accounts answers").expect("the first admin is made");
    }
}

/// One process of a shop.
pub(crate) async fn start(
    store: &Storehouse,
    settings: &[(String, String)],
    blueprints: &[Blueprint],
    clock: &Clock,
) -> House {
    let loaded = loaded(store, settings);
    let house = House::start(&loaded, blueprints, clock.clone()).await;
    house.unwrap_or_else(|e| panic!("the shop does not open: {e:#}"))
}

fn loaded(store: &Storehouse, settings: &[(String, String)]) -> Loaded {
    souk_service::install_tls();
    let all = store.settings().iter().chain(settings);
    let flags = all.map(|(key, value)| (key.clone(), written(value))).collect();
    let sources = Sources { file: None, environment: false, flags };
    sources.load().unwrap_or_else(|e| panic!("impossible settings: {e}"))
}

/// A value as the layers of settings read it: words in quotes, numbers and the like bare.
fn written(value: &str) -> String {
    let bare = value.parse::<f64>().is_ok() || ["true", "false"].contains(&value);
    if bare || value.starts_with('[') { value.to_owned() } else { format!("{value:?}") }
}
