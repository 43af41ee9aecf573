//! People who buy: each with an account, a token and a cart.
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::client::Client;
use crate::house::{Ground, House, PASSWORD};
use crate::process::tied;

/// Somebody with a token. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Buyer {
    pub(crate) id: String,
    http: reqwest::Client,
    base: Arc<str>,
    token: Arc<str>,
}

/// An answer as its receiver got it; `None`: none came.
pub(crate) type Answer = Option<(u16, Vec<u8>)>;

/// Hashes that cost next to nothing: a thousand people log in.
pub(crate) fn crowded(ground: Ground) -> Ground {
    ground
        .with("SOUK_ACCOUNTS__ARGON2__MEMORY_KIB", "64")
        .with("SOUK_ACCOUNTS__ARGON2__ITERATIONS", "1")
        // the tokens of a crowd last as long as its proof
        .with("SOUK_ACCOUNTS__ACCESS_TOKEN_MINUTES", "60")
        .with("SOUK_NOTIFIER__ORDER_NOTICES", "false")
        .with("SOUK_CATALOG__LOW_STOCK", "0")
}

/// New customers, logged in.
pub(crate) async fn crowd(client: &Client, size: u32) -> Vec<Buyer> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(2_000)
        .no_proxy()
        .build()
        .unwrap();
    let buyers = stream::iter(0..size).map(|_| {
        let (client, http) = (client.clone(), http.clone());
        async move {
            let name = format!("b{}", &uuid::Uuid::new_v4().simple().to_string()[..14]);
            let email = format!("{name}@buyers.example");
            let body = json!({
                "username": name, "email": email, "full_name": "Bea Buyer",
                "password": PASSWORD, "role": "customer",
            });
            let (status, user) = client.order("POST", "/api/users", Some(body)).await;
            assert_eq!(status, 201, "{user}");
            let body = json!({ "email": email, "password": PASSWORD });
            let (status, tokens) = client.order("POST", "/api/auth/login", Some(body)).await;
            assert_eq!(status, 200, "{tokens}");
            Buyer {
                id: user["id"].as_str().unwrap().to_owned(),
                http,
                base: client.url("").into(),
                token: tokens["access_token"].as_str().unwrap().into(),
            }
        }
    });
    buyers.buffer_unordered(8).collect().await
}

impl Buyer {
    /// A request; bodies are sent as they are.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.parse().unwrap(), url).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = async {
            let answer = request.send().await?;
            Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
        };
        // who kills the shop expects this; who does not, wants to know
        let unanswered = |error: &reqwest::Error| eprintln!("{method} {path}: {error:?}");
        answer.await.inspect_err(unanswered).ok()
    }

    /// The same, with the body read.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let Some((status, bytes)) = self.send(method, path, None, body.as_ref()).await else {
            return (0, Value::Null);
        };
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn add(&self, product: &str, quantity: i64) -> (u16, Value) {
        let body = json!({ "product_id": product, "quantity": quantity });
        self.ask("POST", "/api/cart", Some(body)).await
    }

    pub(crate) async fn empty_cart(&self) {
        let (status, answer) = self.ask("DELETE", "/api/cart", None).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// A token that pays, or does what its documented number says.
    pub(crate) async fn card(&self, number: &str) -> String {
        let body = json!({ "number": number, "exp_month": 12, "exp_year": 2039, "cvc": "123" });
        let (status, method) = self.ask("POST", "/api/payment-methods", Some(body)).await;
        assert_eq!(status, 201, "{method}");
        method["token"].as_str().unwrap().to_owned()
    }

    /// Orders what is in the cart and waits for the end: the status code and the last answer.
    pub(crate) async fn order(&self, body: Option<Value>) -> (u16, Value) {
        let (status, mut answer) = self.ask("POST", "/api/orders", body).await;
        if status != 202 {
            return (status, answer);
        }
        let id = answer["id"].as_str().unwrap().to_owned();
        // no closure here: its future would not be known to be `Send`
        let deadline = Instant::now() + Duration::from_secs(60);
        while ["processing", "awaiting_payment", ""]
            .contains(&answer["status"].as_str().unwrap_or_default())
        {
            assert!(Instant::now() < deadline, "the order does not end: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer = self.ask("GET", &format!("/api/orders/{id}"), None).await.1;
        }
        let code = match answer["status"].as_str().unwrap() {
            "confirmed" => 201,
            "payment_failed" => 402,
            _ => 409,
        };
        (code, answer)
    }
}

/// A product with so many on the shelf; its id.
pub(crate) async fn stocked(client: &Client, name: &str, price: &str, stock: u32) -> String {
    let body = json!({ "name": name, "price": price, "stock": stock });
    let (status, product) = client.order("POST", "/api/products", Some(body)).await;
    assert_eq!(status, 201, "{product}");
    product["id"].as_str().unwrap().to_owned()
}

/// On hand and reserved.
pub(crate) async fn stock(client: &Client, product: &str) -> (i64, i64) {
    let stock = client.read(&format!("/api/admin/stock/{product}")).await;
    (stock["on_hand"].as_i64().unwrap(), stock["reserved"].as_i64().unwrap())
}

/// `souk verify` and `souk audit verify` on the running shop must find nothing broken; answers what
/// they printed.
pub(crate) async fn verified(house: &House) -> String {
    let data = said(house, &["verify", "--settle", "60"]).await;
    let audit = said(house, &["audit", "verify"]).await;
    format!("{data}{audit}")
}

/// What a command beside the shop prints; it must succeed.
async fn said(house: &House, words: &[&str]) -> String {
    let mut command = tied(Path::new(env!("CARGO_BIN_EXE_souk")));
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("SOUK_") {
            command.env_remove(key);
        }
    }
    let data = house.data();
    command.args(words).arg("--data-dir").arg(&data);
    command.envs(house.operator_env()).current_dir(data.parent().unwrap());
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "souk {}:\n{text}\n{errors}", words.join(" "));
    text
}
