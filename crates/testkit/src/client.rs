//! Somebody at the door of a shop: requests by verbs, answers as status, headers and JSON.
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::RequestBuilder;
use serde_json::Value;

/// A client without TLS and without redirects.
pub(crate) fn http() -> reqwest::Client {
    souk_service::install_tls();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(120))
        // the shop closes idle connections after 15 s: ours must be gone before
        .pool_idle_timeout(Duration::from_secs(5))
        .build()
        .expect("an HTTP client")
}

/// Every (method, path, status) that was answered, to be held against the API document.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<BTreeSet<(String, String, u16)>>>);

impl Seen {
    pub(crate) fn note(&self, method: &Method, path: &str, status: u16) {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((method.to_string(), path, status));
    }

    pub fn all(&self) -> BTreeSet<(String, String, u16)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Somebody with a token, or without.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: Option<String>,
    pub(crate) seen: Seen,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The same person with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same person at another gateway.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to be completed and handed to [`send`](Self::send).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends it. The test fails when no answer comes.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let (method, url) = (request.method().clone(), request.url().clone());
        let name = format!("{method} {url}");
        let answer = self.http.execute(request).await;
        let answer = answer.unwrap_or_else(|e| panic!("{name}: no answer: {e:?}"));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await;
        let body = body.unwrap_or_else(|e| panic!("{name}: the answer broke off: {e:?}")).to_vec();
        self.seen.note(&method, url.path(), status);
        Answer { request: name, status, headers, body }
    }

    /// Like [`send`](Self::send), for shops that may be gone: the error is the client's.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = request.build()?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let answer = self.http.execute(request).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await?.to_vec();
        self.seen.note(&method, url.path(), status);
        Ok(Answer { request: format!("{method} {url}"), status, headers, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn creates_product(&self, product: &Value) -> Answer {
        self.post("/api/products", product).await
    }

    /// By id, SKU or slug.
    pub async fn changes(&self, key: &str, fields: &Value) -> Answer {
        self.put(&product(key), fields).await
    }

    pub async fn deletes(&self, key: &str) -> Answer {
        self.delete(&product(key)).await
    }

    pub async fn restores(&self, key: &str) -> Answer {
        let path = format!("{}/restore", product(key));
        self.send(self.request(Method::POST, &path)).await
    }

    pub async fn reads(&self, key: &str) -> Answer {
        self.get(&product(key)).await
    }

    /// A whole list, page by page; `query` without `?`.
    pub async fn lists_all(&self, path: &str, query: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}?limit=100&{query}{cursor}")).await.expect(200);
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return items };
            cursor = format!("&cursor={}", escaped(next));
        }
    }
}

/// The path of a product by id, SKU or slug.
pub fn product(key: &str) -> String {
    format!("/api/products/{}", escaped(key))
}

/// As one segment of a path, or a value of a query.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Answer {
    /// The body as JSON; `null` for an empty one.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|e| panic!("{}: no JSON ({e}): {}", self.request, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, if the status is this one; otherwise the test fails and shows all.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        let (request, was) = (&self.request, self.status);
        assert_eq!(was, status, "{request} was answered {was}, not {status}: {}", self.text());
        self.json()
    }

    /// One of these, where more than one is right.
    #[track_caller]
    pub fn status_in(&self, allowed: &[u16]) {
        assert!(
            allowed.contains(&self.status),
            "{}: {} {}",
            self.request,
            self.status,
            self.text()
        );
    }

    /// The machine's word of a problem; also holds the answer against RFC 9457.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        let problem = self.expect(status);
        let media = self.header("content-type");
        assert!(media.starts_with("application/problem+json"), "{}: {media}", self.request);
        assert_eq!(problem["status"], status, "{}: {problem}", self.request);
        for field in ["type", "title", "detail", "code", "trace_id"] {
            let there = problem[field].as_str().is_some_and(|text| !text.is_empty());
            assert!(there, "{}: {field} is missing: {problem}", self.request);
        }
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The fields that a 422 names.
    pub fn broken_fields(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|e| e["field"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// A text out of the body.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let body = self.json();
        let text = body[name].as_str();
        text.unwrap_or_else(|| panic!("{}: no {name} in {body}", self.request)).to_owned()
    }
}
