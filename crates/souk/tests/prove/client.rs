//! Somebody outside who changes prices, looks at products and reads the desk's lists.
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{ADMIN, PASSWORD};
use crate::process::until;

/// Tokens live ten minutes.
const FRESH: Duration = Duration::from_secs(8 * 60);

/// A client of one shop. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    token: Arc<Mutex<Option<(String, Instant)>>>,
    /// From the first login, so that no later one is a new device's.
    device: Arc<Mutex<Option<String>>>,
}

/// What became of a request, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200, with the version it made (0 for reads).
    Done(u64),
    /// An answer that is no success.
    Answered(u16),
    /// Nobody took the connection, so nothing can have happened.
    Unsent,
    /// The connection broke, or the answer took too long.
    Unknown,
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        souk_service::install_tls();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy();
        let http = http.build().unwrap();
        Self { http, base: base.into(), token: Arc::default(), device: Arc::default() }
    }

    /// The same desk at another gateway.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.into(), ..self.clone() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    /// The status of a GET without a token; `None` when there is no answer.
    pub(crate) async fn status(&self, path: &str) -> Option<u16> {
        let answer = self.http.get(self.url(path)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// The admin's token; logs in when there is none yet, or an old one.
    pub(crate) async fn token(&self) -> Option<String> {
        let known = self.token.lock().unwrap().clone();
        if let Some((token, since)) = known
            && since.elapsed() < FRESH
        {
            return Some(token);
        }
        let mut body = json!({ "email": ADMIN, "password": PASSWORD });
        if let Some(device) = &*self.device.lock().unwrap() {
            body["device_token"] = json!(device);
        }
        let asked = self.http.post(self.url("/api/auth/login")).json(&body).send().await.ok()?;
        let answer: Value = asked.error_for_status().ok()?.json().await.ok()?;
        let token = answer["access_token"].as_str()?.to_owned();
        if let Some(device) = answer["device_token"].as_str() {
            *self.device.lock().unwrap() = Some(device.to_owned());
        }
        *self.token.lock().unwrap() = Some((token.clone(), Instant::now()));
        Some(token)
    }

    /// Whether each service answers a question of its own.
    pub(crate) async fn all_answer(&self) -> bool {
        self.status("/readyz").await == Some(200)
            && self.status("/api/products?limit=1").await == Some(200)
            && self.asked("/api/admin/notifications?limit=1").await.is_some()
            && self.asked("/api/admin/stats/totals").await.is_some()
    }

    /// A list of the desk; `None` when the answer is not 200.
    pub(crate) async fn asked(&self, path: &str) -> Option<Value> {
        let token = self.token().await?;
        let answer = self.http.get(self.url(path)).bearer_auth(token).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    /// The same, again until there is an answer.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let mut found = None;
        let answered = until(Duration::from_secs(180), async || {
            found = self.asked(path).await;
            found.is_some()
        });
        assert!(answered.await, "{path} is not answered");
        found.unwrap()
    }

    /// All items of a list with a cursor.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut next = format!("{path}{sign}limit=100");
        loop {
            let page = self.read(&next).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}{sign}limit=100&cursor={cursor}"),
                None => return items,
            }
        }
    }

    /// A request of the desk that must succeed; answers the status and the body.
    pub(crate) async fn order(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let token = self.token().await.expect("the shop is there");
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, self.url(path)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A request of somebody else, with their token or without one; `None`: no answer came.
    pub(crate) async fn ask(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let mut request = self.http.request(method.parse().unwrap(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let (status, bytes) = (answer.status().as_u16(), answer.bytes().await.ok()?);
        Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// A new product; its id.
    pub(crate) async fn create(&self, name: &str) -> String {
        let body = json!({ "name": name, "price": "1.00", "stock": 10 });
        let (status, product) = self.order("POST", "/api/products", Some(body)).await;
        assert_eq!(status, 201, "{product}");
        product["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn set_price(&self, id: &str, cents: i64) -> Outcome {
        let Some(token) = self.token().await else { return Outcome::Unsent };
        let body = json!({ "price": decimal(cents) });
        let url = self.url(&format!("/api/products/{id}"));
        let answer = match self.http.put(url).bearer_auth(token).json(&body).send().await {
            Ok(answer) => answer,
            Err(error) => return broken(&error),
        };
        let status = answer.status().as_u16();
        if status != 200 {
            return Outcome::Answered(status);
        }
        // an answer that was cut off is none
        match answer.json::<Value>().await {
            Ok(product) => Outcome::Done(product["version"].as_u64().unwrap()),
            Err(_) => Outcome::Unknown,
        }
    }

    pub(crate) async fn view(&self, id: &str) -> Outcome {
        let url = self.url(&format!("/api/products/{id}"));
        let answer = match self.http.get(url).send().await {
            Ok(answer) => answer,
            Err(error) => return broken(&error),
        };
        match (answer.status().as_u16(), answer.bytes().await) {
            (_, Err(_)) => Outcome::Unknown,
            (200, Ok(_)) => Outcome::Done(0),
            (status, Ok(_)) => Outcome::Answered(status),
        }
    }
}

fn broken(error: &reqwest::Error) -> Outcome {
    if error.is_connect() { Outcome::Unsent } else { Outcome::Unknown }
}

/// `1234` as `"12.34"`.
pub(crate) fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
