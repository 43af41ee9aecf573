//! A mail system that speaks SES v2's `SendEmail`, and remembers, throttles, delays and fails as
//! told.
//!
//! It knows nothing of accounts or quotas: whatever the SDK signs is taken, unless a test said
//! otherwise.
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::odd::Odd;

/// A message that was answered with an id; also one whose answer was then held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedMail {
    /// The whole message (RFC 5322).
    pub raw: Vec<u8>,
    pub destination: Vec<String>,
    /// Name and value, as sent.
    pub tags: Vec<(String, String)>,
    pub configuration_set: Option<String>,
    pub message_id: String,
}

impl AcceptedMail {
    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

/// A request as it came, whatever was answered.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Path and query, then a header a line.
    pub head: String,
    pub body: Vec<u8>,
}

/// A fake SES on a free port; gone when dropped.
pub struct FakeSes {
    /// For `ses.endpoint`.
    pub url: String,
    desk: Arc<Desk>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Desk {
    orders: Mutex<Orders>,
    changed: Notify,
}

/// What tests told it, and what it saw.
#[derive(Default)]
struct Orders {
    accepted: Vec<AcceptedMail>,
    requests: u64,
    /// Whole requests, once somebody wants to see them.
    received: Option<Vec<ReceivedRequest>>,
    throttle: u64,
    failures: u64,
    failure: Option<StatusCode>,
    refusal: Option<(StatusCode, String)>,
    swallow: u64,
    delay: Duration,
    slow: HashSet<String>,
    rejected: HashSet<String>,
    odd: Option<Odd>,
}

impl FakeSes {
    /// Listens on 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens on that address: tests that stop and start it keep the port.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start_at(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let desk = Arc::new(Desk::default());
        let router = Router::new()
            .route("/v2/email/outbound-emails", post(send))
            .fallback(unknown)
            .with_state(Arc::clone(&desk));
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

    /// Everything accepted so far, in order.
    pub fn accepted(&self) -> Vec<AcceptedMail> {
        self.desk.orders().accepted.clone()
    }

    /// Requests so far, also those that were refused.
    pub fn requests(&self) -> u64 {
        self.desk.orders().requests
    }

    /// From now on every request is kept whole, for [`received`](Self::received).
    pub fn keep_requests(&self) {
        self.desk.orders().received.get_or_insert_default();
    }

    /// Every request that was kept, also those that were refused or asked for something else.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.desk.orders().received.clone().unwrap_or_default()
    }

    /// Waits until `count` were accepted; false when that takes longer than `patience`.
    pub async fn wait_for(&self, count: usize, patience: Duration) -> bool {
        let enough = async {
            loop {
                let changed = self.desk.changed.notified();
                if self.desk.orders().accepted.len() >= count {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, enough).await.is_ok()
    }

    /// The next `n` requests are answered 429 TooManyRequestsException.
    pub fn throttle_next(&self, n: u64) {
        self.desk.orders().throttle = n;
    }

    /// The next `n` requests are answered with that status, as SES's own fault.
    pub fn fail_next(&self, n: u64, status: u16) {
        let mut orders = self.desk.orders();
        orders.failures = n;
        orders.failure = StatusCode::from_u16(status).ok();
    }

    /// Every request is answered with that status and exception until [`obey`](Self::obey).
    pub fn refuse_all(&self, status: u16, exception: &str) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        self.desk.orders().refusal = Some((status, exception.to_owned()));
    }

    /// The next `n` messages are accepted, and their answer never comes.
    pub fn swallow_answers(&self, n: u64) {
        self.desk.orders().swallow = n;
    }

    /// Messages are accepted and answered so until [`obey`](Self::obey).
    pub fn answer_oddly(&self, odd: Odd) {
        self.desk.orders().odd = Some(odd);
    }

    /// Every answer waits that long from now on.
    pub fn delay(&self, delay: Duration) {
        self.desk.orders().delay = delay;
    }

    /// Messages to that address are answered only when the client has given up.
    pub fn hang_for(&self, address: &str) {
        self.desk.orders().slow.insert(address.to_owned());
    }

    /// Messages to that address are answered 400 MessageRejected.
    pub fn reject_address(&self, address: &str) {
        self.desk.orders().rejected.insert(address.to_owned());
    }

    /// Forgets all orders; what was accepted stays.
    pub fn obey(&self) {
        let mut orders = self.desk.orders();
        let (accepted, requests) = (std::mem::take(&mut orders.accepted), orders.requests);
        let received = orders.received.take();
        *orders = Orders { accepted, requests, received, ..Orders::default() };
    }
}

impl Desk {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `SendEmail` as the SDK writes it: REST, JSON, upper camel case.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: Option<String>,
    destination: Destination,
    content: Content,
    #[serde(default)]
    email_tags: Vec<Tag>,
    configuration_set_name: Option<String>,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    #[serde(default)]
    to_addresses: Vec<String>,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    raw: Option<Raw>,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    data: String,
}
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    name: String,
    value: String,
}

/// What becomes of one request.
enum Fate {
    Answer(Response),
    Silence,
}

async fn send(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    desk.keep(&uri, &headers, &body);
    let Ok(message) = serde_json::from_slice::<SendEmail>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let signed = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 "));
    let delay = desk.orders().delay;
    let fate = desk.decide(signed, message);
    desk.changed.notify_waiters();
    match fate {
        Fate::Answer(answer) => {
            tokio::time::sleep(delay).await;
            answer
        }
        Fate::Silence => std::future::pending().await,
    }
}

/// SES has more paths than this one.
async fn unknown(
    State(desk): State<Arc<Desk>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    desk.keep(&uri, &headers, &body);
    StatusCode::NOT_FOUND
}

impl Desk {
    fn keep(&self, uri: &Uri, headers: &HeaderMap, body: &Bytes) {
        let mut orders = self.orders();
        let Some(received) = &mut orders.received else { return };
        let mut head = uri.to_string();
        for (name, value) in headers {
            head += &format!("\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        received.push(ReceivedRequest { head, body: body.to_vec() });
    }

    fn decide(&self, signed: bool, message: SendEmail) -> Fate {
        let mut orders = self.orders();
        orders.requests += 1;
        if !signed {
            return exception(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException");
        }
        if let Some((status, name)) = &orders.refusal {
            return exception(*status, name);
        }
        if orders.throttle > 0 {
            orders.throttle -= 1;
            return exception(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException");
        }
        if orders.failures > 0 {
            orders.failures -= 1;
            let status = orders.failure.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return exception(status, "InternalFailure");
        }
        let to = message.destination.to_addresses;
        if to.is_empty() || message.from_email_address.is_none() {
            return exception(StatusCode::BAD_REQUEST, "BadRequestException");
        }
        if to.iter().any(|address| orders.rejected.contains(address)) {
            return exception(StatusCode::BAD_REQUEST, "MessageRejected");
        }
        let raw = message.content.raw.and_then(|raw| STANDARD.decode(raw.data).ok());
        let Some(raw) = raw else {
            return exception(StatusCode::BAD_REQUEST, "BadRequestException");
        };
        if to.iter().any(|address| orders.slow.contains(address)) {
            return Fate::Silence;
        }
        let message_id = format!("{:016x}-{}", orders.accepted.len() + 1, uuid::Uuid::new_v4());
        orders.accepted.push(AcceptedMail {
            raw,
            destination: to,
            tags: message.email_tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
            configuration_set: message.configuration_set_name,
            message_id: message_id.clone(),
        });
        if orders.swallow > 0 {
            orders.swallow -= 1;
            return Fate::Silence;
        }
        if let Some(odd) = &orders.odd {
            return Fate::Answer(odd.clone().into_response());
        }
        Fate::Answer(Json(json!({ "MessageId": message_id })).into_response())
    }
}

fn exception(status: StatusCode, name: &str) -> Fate {
    let body = Json(json!({ "message": format!("{name} as told by the test") }));
    Fate::Answer((status, [("x-amzn-errortype", name.to_owned())], body).into_response())
}
