//! Stripe's HTTP: forms in, JSON out, and what its errors mean.
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{self, HeaderMap};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use souk_service::Secret;

use crate::domain::payment::ProviderError;

/// The version whose answers are read here.
const VERSION: &str = "2024-06-20";
/// A page of a hundred payments, each in full, is a tenth of it.
const LONGEST: usize = 8 * 1024 * 1024;
/// No code of Stripe's is longer.
const LONGEST_CODE: usize = 64;

#[derive(Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    base_url: String,
    secret_key: Secret,
}

/// What an answer that is no success says.
pub(super) enum Fault {
    /// It may have happened.
    Unknown(String),
    /// The card was refused.
    Declined {
        code: String,
        intent: Option<String>,
        charge: Option<String>,
    },
    Refused {
        status: u16,
        code: String,
    },
}

impl From<Fault> for ProviderError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unknown(why) => Self::Unknown(why),
            Fault::Declined { code, .. } | Fault::Refused { code, .. } => Self::Refused { code },
        }
    }
}

/// As Stripe writes whatever is no success.
#[derive(Deserialize)]
struct Problem {
    error: ProblemError,
}

#[derive(Deserialize)]
struct ProblemError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default)]
    charge: Option<String>,
    #[serde(default)]
    payment_intent: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// A body of `application/x-www-form-urlencoded`.
pub(super) struct Form(String);

impl Form {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn add(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        self
    }

    pub(super) fn all(self, fields: &[(&str, &str)]) -> Self {
        fields.iter().fold(self, |form, (name, value)| form.add(name, value))
    }
}

impl Wire {
    pub(super) fn new(
        base_url: &str,
        secret_key: &Secret,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        souk_service::install_tls();
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base_url, secret_key: secret_key.clone() })
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Fault> {
        let Form(query) = Form::new().all(query);
        self.send(self.http.get(format!("{}{path}?{query}", self.base_url))).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        Form(body): Form,
        key: &str,
    ) -> Result<T, Fault> {
        let request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("idempotency-key", key)
            .body(body);
        self.send(request).await
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        let request =
            request.bearer_auth(self.secret_key.reveal()).header("stripe-version", VERSION);
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let is_json = says_json(response.headers());
        let body = body(response).await?;
        let odd = |what: &str| Fault::Unknown(format!("an answer of {status} {what}"));
        if !is_json {
            return Err(odd("that is not JSON"));
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| odd("that cannot be read"));
        }
        // somebody between us and Stripe says such things, too: who knows what became of it
        let problem: Problem =
            serde_json::from_slice(&body).map_err(|_| odd("that is not Stripe's"))?;
        Err(problem.error.fault(status.as_u16()))
    }
}

/// Whoever answers without end is not listened to for long.
async fn body(mut response: Response) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Fault::Unknown(format!("an answer of more than {LONGEST} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address of a request may hold ids, never secrets; still nobody needs it here.
fn lost(error: reqwest::Error) -> Fault {
    Fault::Unknown(error.without_url().to_string())
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = said.and_then(|said| said.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// A code as Stripe writes them, `card_declined`; it is stored, logged and shown.
pub(super) fn code(said: Option<String>) -> Option<String> {
    let plain = |code: &String| {
        let of_code = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(of_code)
    };
    said.filter(plain)
}

impl ProblemError {
    fn fault(self, status: u16) -> Fault {
        let own = code(self.code);
        match status {
            402 => Fault::Declined {
                code: code(self.decline_code).or(own).unwrap_or_else(|| "card_declined".to_owned()),
                intent: self.payment_intent.map(|intent| intent.id),
                charge: self.charge,
            },
            // 409: the key is in use at this moment; a redirect is no answer of Stripe's
            409 | 429 => Fault::Unknown(format!("status {status}")),
            400..500 => {
                Fault::Refused { status, code: own.unwrap_or_else(|| format!("status_{status}")) }
            }
            _ => Fault::Unknown(format!("status {status}")),
        }
    }
}
