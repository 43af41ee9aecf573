//! A payment provider that speaks Stripe's PaymentIntents, honors idempotency keys, signs webhooks,
//! and loses answers, fails and answers oddly as told.
//!
//! Methods: `pm_card_visa` pays, `pm_card_visa_chargeDeclined` and
//! `pm_card_chargeDeclinedInsufficientFunds` are declined, `pm_card_authenticationRequired` waits
//! for [`FakeStripe::approve`]; others do not exist.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::odd::Odd;

/// What it accepts as `Authorization: Bearer`.
pub const SECRET_KEY: &str = "sk_test_souk";

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// Fields of the form, in order.
    pub form: Vec<(String, String)>,
    /// Empty: none.
    pub idempotency_key: String,
}

/// A fake Stripe on a free port; gone when dropped.
pub struct FakeStripe {
    /// For `stripe.base_url`.
    pub url: String,
    desk: Arc<Desk>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Desk(Mutex<Books>);

#[derive(Default)]
struct Books {
    /// In the order in which they were made.
    intents: Vec<Value>,
    /// What was answered to a key, and to what.
    kept: HashMap<String, (String, StatusCode, Value)>,
    seen: Vec<Seen>,
    lose: u64,
    failures: u64,
    failure: u16,
    /// For requests whose path ends like this.
    odd: Option<(&'static str, Strange)>,
}

/// How an answer differs from what was done.
enum Strange {
    Instead(Odd),
    Changed(Box<dyn Fn(&mut Value) + Send>),
}

/// What becomes of an answer.
enum Fate {
    Told,
    Lost,
    Odd(Odd),
}

type Form = BTreeMap<String, String>;
type Said = (StatusCode, Value);

impl FakeStripe {
    /// Listens on 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let desk = Arc::new(Desk::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&desk));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let serving = axum::serve(listener, router);
            tokio::select! {
                _ = serving => {}
                () = stopped.cancelled() => {}
            }
        });
        Ok(Self { url, desk, _stop: stop.drop_guard() })
    }

    /// Everything that was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.desk.books().seen.clone()
    }

    /// All payments, oldest first.
    pub fn intents(&self) -> Vec<Value> {
        self.desk.books().intents.clone()
    }

    /// The next `n` requests are done, but their answers never arrive.
    pub fn lose_next(&self, n: u64) {
        self.desk.books().lose = n;
    }

    /// The next `n` requests are answered with that status, and not done.
    pub fn fail_next(&self, n: u64, status: u16) {
        let mut books = self.desk.books();
        books.failures = n;
        books.failure = status;
    }

    /// Requests whose path ends like this are done, and answered so until [`obey`](Self::obey).
    pub fn answer_oddly(&self, path: &'static str, odd: Odd) {
        self.desk.books().odd = Some((path, Strange::Instead(odd)));
    }

    /// The same with what would have been answered, changed; the books stay as they are.
    pub fn lie(&self, path: &'static str, change: impl Fn(&mut Value) + Send + 'static) {
        self.desk.books().odd = Some((path, Strange::Changed(Box::new(change))));
    }

    /// Answers as it should again.
    pub fn obey(&self) {
        self.desk.books().odd = None;
    }

    /// The buyer's second step.
    pub fn approve(&self, intent: &str) {
        self.change(intent, |intent| {
            intent["status"] = json!("requires_capture");
            intent["next_action"] = Value::Null;
            intent["latest_charge"] = charge(intent);
        });
    }

    /// Changes a payment behind everybody's back.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut books = self.desk.books();
        change(books.find(id).expect("a payment with this id"));
    }

    /// A webhook about a payment: body, and the value of `Stripe-Signature`.
    pub fn webhook(
        &self,
        secret: &str,
        event_id: &str,
        intent: &str,
        unix: i64,
    ) -> (Vec<u8>, String) {
        let object = self.desk.books().find(intent).cloned().unwrap_or_default();
        let body = json!({
            "id": event_id, "object": "event", "type": "payment_intent.succeeded",
            "created": unix, "data": { "object": object },
        })
        .to_string()
        .into_bytes();
        let signature = sign(secret, &body, unix);
        (body, signature)
    }
}

/// Stripe's scheme: `t=UNIX,v1=HEX`.
pub fn sign(secret: &str, body: &[u8], unix: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key fits");
    mac.update(format!("{unix}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("t={unix},v1={hex}")
}

impl Desk {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(desk): State<Arc<Desk>>,
    method: Method,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let uri = request.uri().clone();
    let body = axum::body::to_bytes(request.into_body(), 64 * 1024).await.unwrap_or_default();
    let (fate, (status, body)) =
        desk.books().hear(&method, uri.path(), uri.query(), &headers, &body);
    match fate {
        Fate::Told => (status, axum::Json(body)).into_response(),
        // until the caller has had enough
        Fate::Lost => std::future::pending().await,
        Fate::Odd(odd) => odd.into_response(),
    }
}

impl Books {
    fn hear(
        &mut self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> (Fate, Said) {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let pairs = decode(&String::from_utf8_lossy(body));
        let key = text("idempotency-key").to_owned();
        self.seen.push(Seen {
            method: method.to_string(),
            path: path.to_owned(),
            form: pairs.clone(),
            idempotency_key: key.clone(),
        });
        if text("authorization") != format!("Bearer {SECRET_KEY}") {
            return (Fate::Told, problem(401, "invalid_api_key"));
        }
        if self.failures > 0 {
            self.failures -= 1;
            return (Fate::Told, problem(self.failure, "lock_timeout"));
        }
        let mut said = if method == Method::GET {
            self.read(path, &decode(query.unwrap_or_default()).into_iter().collect())
        } else {
            let print = format!("{path} {pairs:?}");
            match self.kept.get(&key).filter(|_| !key.is_empty()) {
                Some((asked, ..)) if *asked != print => problem(400, "idempotency_key_in_use"),
                Some((_, status, body)) => (*status, body.clone()),
                None => {
                    let (status, body) = self.write(path, &pairs.into_iter().collect());
                    self.kept.insert(key, (print, status, body.clone()));
                    (status, body)
                }
            }
        };
        let lost = self.lose > 0;
        self.lose = self.lose.saturating_sub(1);
        let fate = match &self.odd {
            _ if lost => Fate::Lost,
            Some((end, Strange::Instead(odd))) if path.ends_with(end) => Fate::Odd(odd.clone()),
            Some((end, Strange::Changed(change))) if path.ends_with(end) => {
                change(&mut said.1);
                Fate::Told
            }
            _ => Fate::Told,
        };
        (fate, said)
    }

    fn find(&mut self, id: &str) -> Option<&mut Value> {
        self.intents.iter_mut().find(|intent| intent["id"] == id)
    }

    fn read(&mut self, path: &str, query: &Form) -> Said {
        if let Some(id) = path.strip_prefix("/v1/payment_intents/") {
            return self.find(id).map_or_else(|| missing(id), |i| (StatusCode::OK, i.clone()));
        }
        if path != "/v1/payment_intents" {
            return problem(404, "unknown_url");
        }
        let limit = query.get("limit").and_then(|n| n.parse().ok()).unwrap_or(10);
        let mut rest: Vec<Value> = self.intents.iter().rev().cloned().collect();
        if let Some(after) = query.get("starting_after") {
            let at = rest.iter().position(|i| i["id"] == after.as_str());
            rest = rest.split_off(at.map_or(0, |at| at + 1));
        }
        let has_more = rest.len() > limit;
        rest.truncate(limit);
        (StatusCode::OK, json!({ "object": "list", "data": rest, "has_more": has_more }))
    }

    fn write(&mut self, path: &str, form: &Form) -> Said {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        match path {
            "/v1/payment_intents" => return self.create(form),
            "/v1/refunds" => return self.refund(field("payment_intent"), field("amount")),
            _ => {}
        }
        let rest = path.strip_prefix("/v1/payment_intents/").unwrap_or_default();
        let Some((id, step)) = rest.split_once('/') else { return problem(404, "unknown_url") };
        let Some(intent) = self.find(id) else { return missing(id) };
        let status = intent["status"].as_str().unwrap_or_default().to_owned();
        match (step, status.as_str()) {
            ("capture", "requires_capture") => {
                intent["status"] = json!("succeeded");
                intent["amount_received"] = intent["amount"].clone();
                intent["latest_charge"]["captured"] = json!(true);
                intent["latest_charge"]["amount_captured"] = intent["amount"].clone();
            }
            ("cancel", "requires_capture" | "requires_action" | "requires_payment_method") => {
                intent["status"] = json!("canceled");
            }
            _ => return problem(400, "payment_intent_unexpected_state"),
        }
        (StatusCode::OK, intent.clone())
    }

    fn create(&mut self, form: &Form) -> Said {
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let (status, refused) = match field("payment_method").as_str() {
            "pm_card_visa" => ("requires_capture", None),
            "pm_card_authenticationRequired" => ("requires_action", None),
            "pm_card_visa_chargeDeclined" => ("requires_payment_method", Some("generic_decline")),
            "pm_card_chargeDeclinedInsufficientFunds" => {
                ("requires_payment_method", Some("insufficient_funds"))
            }
            other => return missing(other),
        };
        let id = format!("pi_{}", uuid::Uuid::new_v4().simple());
        let card = json!({ "card": { "brand": "visa", "last4": "4242" } });
        let mut intent = json!({
            "id": id, "object": "payment_intent", "status": status,
            "amount": field("amount").parse::<i64>().unwrap_or_default(),
            "amount_received": 0, "currency": field("currency"),
            "capture_method": field("capture_method"), "created": unix_now(),
            "metadata": { "order_id": field("metadata[order_id]") },
            "payment_method": card, "latest_charge": null, "last_payment_error": null,
            "next_action": null,
        });
        match status {
            "requires_capture" => intent["latest_charge"] = charge(&intent),
            "requires_action" => {
                let back = field("return_url");
                let url = format!("https://hooks.stripe.test/3ds/{id}?return_url={back}");
                intent["next_action"] =
                    json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url } });
            }
            _ => {}
        }
        let error = refused.map(|code| {
            json!({ "type": "card_error", "code": "card_declined", "decline_code": code,
                "payment_method": card })
        });
        if let Some(error) = &error {
            intent["payment_method"] = Value::Null;
            intent["last_payment_error"] = error.clone();
        }
        self.intents.push(intent.clone());
        match error {
            None => (StatusCode::OK, intent),
            Some(mut error) => {
                error["payment_intent"] = intent;
                (StatusCode::PAYMENT_REQUIRED, json!({ "error": error }))
            }
        }
    }

    fn refund(&mut self, id: &str, amount: &str) -> Said {
        let Some(intent) = self.find(id) else { return missing(id) };
        let amount: i64 = amount.parse().unwrap_or_default();
        let taken = intent["amount_received"].as_i64().unwrap_or_default();
        let before = intent["latest_charge"]["amount_refunded"].as_i64().unwrap_or_default();
        if intent["status"] != "succeeded" || amount <= 0 || before + amount > taken {
            return problem(400, "charge_already_refunded");
        }
        intent["latest_charge"]["amount_refunded"] = json!(before + amount);
        let refund = json!({ "id": "re_1", "object": "refund", "amount": amount });
        (StatusCode::OK, refund)
    }
}

fn charge(intent: &Value) -> Value {
    json!({
        "object": "charge", "amount": intent["amount"], "captured": false,
        "amount_captured": 0, "amount_refunded": 0, "payment_intent": intent["id"],
    })
}

fn missing(id: &str) -> Said {
    let (status, mut body) = problem(404, "resource_missing");
    body["error"]["message"] = json!(format!("No such object: {id}"));
    (status, body)
}

fn problem(status: u16, code: &str) -> Said {
    let error = json!({ "error": { "type": "invalid_request_error", "code": code } });
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), error)
}

fn decode(text: &str) -> Vec<(String, String)> {
    let part = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (part(name), part(value)))
        .collect()
}

fn unix_now() -> i64 {
    souk_values::Clock::system().now().timestamp()
}
