//! Stripe: PaymentIntents, held by hand, over its HTTP interface.
mod amount;
mod intent;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use souk_service::Secret;

use self::intent::{Charge, Intent, Page, Refund};
use self::wire::{Fault, Form, Wire};
use super::{Provider, signature};
use crate::config::StripeConfig;
use crate::domain::payment::{Authorise, Hint, ProviderError, ProviderPayment, State};

/// The most that Stripe gives at once.
const PAGE: &str = "100";
/// Pages in a row with nothing of ours, after which a list is no list.
const STRANGERS: usize = 1_000;
/// What is shown in full inside of an intent.
const EXPAND: [(&str, &str); 2] = [("expand[]", "latest_charge"), ("expand[]", "payment_method")];

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stripe {
    wire: Wire,
    webhook_secret: Secret,
    /// Where buyers come back to from a second step; empty: they never leave.
    return_url: String,
}

/// The frame of a webhook; all else is asked for.
#[derive(Deserialize)]
struct Event {
    id: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: EventObject,
}

#[derive(Deserialize)]
struct EventObject {
    #[serde(default)]
    object: String,
    #[serde(default)]
    id: String,
    /// Of a charge or refund.
    #[serde(default)]
    payment_intent: Option<String>,
}

impl Stripe {
    pub(crate) fn new(
        config: &StripeConfig,
        public_url: &str,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        // a browser cannot come back to a place that only this machine knows
        let local = ["http://127.", "http://localhost", "http://[::1]"];
        let local = local.iter().any(|prefix| public_url.starts_with(prefix));
        Ok(Self {
            wire: Wire::new(&config.base_url, &config.secret_key, timeout)?,
            webhook_secret: config.webhook_secret.clone(),
            return_url: if local { String::new() } else { public_url.to_owned() },
        })
    }

    async fn intent(&self, reference: &str) -> Result<Option<Intent>, ProviderError> {
        if !is_id(reference) {
            return Ok(None);
        }
        let path = format!("/v1/payment_intents/{reference}");
        match self.wire.get::<Intent>(&path, &EXPAND).await {
            Ok(intent) => intent.of(reference).map(Some),
            Err(Fault::Refused { status: 404, .. }) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    /// The truth after a step.
    async fn fact(&self, reference: &str) -> Result<ProviderPayment, ProviderError> {
        let missing = || ProviderError::Refused { code: "payment_not_found".to_owned() };
        self.find(reference).await?.ok_or_else(missing)
    }

    /// A step that is refused may have been done before: its key is older than Stripe remembers.
    async fn step(
        &self,
        reference: &str,
        step: &str,
        key: &str,
        wanted: State,
    ) -> Result<ProviderPayment, ProviderError> {
        if !is_id(reference) {
            return Err(ProviderError::Refused { code: "payment_not_found".to_owned() });
        }
        let path = format!("/v1/payment_intents/{reference}/{step}");
        let form = Form::new().all(&EXPAND);
        match self.wire.post::<Intent>(&path, form, key).await {
            Ok(intent) => intent.of(reference)?.fact(),
            Err(Fault::Refused { code, .. } | Fault::Declined { code, .. }) => {
                let fact = self.fact(reference).await?;
                if fact.state == wanted { Ok(fact) } else { Err(ProviderError::Refused { code }) }
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// A decline names the intent, or only its charge.
    async fn declined(
        &self,
        ask: &Authorise,
        code: String,
        intent: Option<String>,
        charge: Option<String>,
    ) -> Result<ProviderPayment, ProviderError> {
        let mut reference = intent.filter(|id| is_id(id));
        if let (None, Some(charge)) = (&reference, charge.filter(|id| is_id(id))) {
            let charge = self.wire.get::<Charge>(&format!("/v1/charges/{charge}"), &[]).await;
            reference = charge.map_err(ProviderError::from)?.payment_intent;
            reference = reference.filter(|id| is_id(id));
        }
        let known = match &reference {
            Some(reference) => self.find(reference).await?,
            None => None,
        };
        if known.as_ref().is_some_and(|f| matches!(f.state, State::Authorised | State::Captured)) {
            return Err(ProviderError::Unknown("a decline of a payment that was taken".to_owned()));
        }
        let fact = known.unwrap_or_else(|| ProviderPayment {
            reference: reference.unwrap_or_default(),
            order_id: ask.order_id.clone(),
            state: State::Declined,
            amount: ask.amount,
            captured: 0,
            refunded: 0,
            brand: String::new(),
            last4: String::new(),
            decline_code: String::new(),
            action_url: String::new(),
            created_at: DateTime::default(),
        });
        Ok(ProviderPayment { state: State::Declined, decline_code: code, ..fact })
    }
}

/// As Stripe's ids look: safe inside of a path.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[async_trait::async_trait]
impl Provider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    async fn authorise(&self, ask: &Authorise) -> Result<ProviderPayment, ProviderError> {
        if !is_id(&ask.method) {
            let code = if ask.method.is_empty() { "required" } else { "not_found" };
            return Err(ProviderError::Refused { code: format!("payment_method_{code}") });
        }
        let amount = amount::to_stripe(ask.amount)
            .ok_or_else(|| ProviderError::Refused { code: "amount_invalid".to_owned() })?;
        let mut form = Form::new()
            .add("amount", &amount.to_string())
            .add("currency", &ask.amount.currency.as_str().to_lowercase())
            .add("capture_method", "manual")
            .add("confirm", "true")
            .add("payment_method", &ask.method)
            .add("payment_method_types[]", "card")
            .add("metadata[order_id]", &ask.order_id)
            .add("metadata[user_id]", &ask.user_id)
            .all(&EXPAND);
        if !self.return_url.is_empty() {
            form = form.add("return_url", &format!("{}/orders/{}", self.return_url, ask.order_id));
        }
        match self.wire.post::<Intent>("/v1/payment_intents", form, &ask.key).await {
            Ok(intent) => intent.fact(),
            Err(Fault::Declined { code, intent, charge }) => {
                self.declined(ask, code, intent, charge).await
            }
            // of all that the request names, only the method can be missing
            Err(Fault::Refused { status: 404, .. }) => {
                Err(ProviderError::Refused { code: "payment_method_not_found".to_owned() })
            }
            Err(Fault::Refused { code, .. }) if code == "resource_missing" => {
                Err(ProviderError::Refused { code: "payment_method_not_found".to_owned() })
            }
            Err(fault) => Err(fault.into()),
        }
    }

    async fn capture(&self, reference: &str, key: &str) -> Result<ProviderPayment, ProviderError> {
        self.step(reference, "capture", key, State::Captured).await
    }

    async fn void(&self, reference: &str, key: &str) -> Result<ProviderPayment, ProviderError> {
        self.step(reference, "cancel", key, State::Voided).await
    }

    async fn refund(
        &self,
        reference: &str,
        minor: i64,
        key: &str,
    ) -> Result<ProviderPayment, ProviderError> {
        let fact = self.fact(reference).await?;
        let amount = souk_values::Money::new(minor, fact.amount.currency);
        let amount = amount::to_stripe(amount)
            .filter(|amount| *amount > 0)
            .ok_or_else(|| ProviderError::Refused { code: "amount_invalid".to_owned() })?;
        let form = Form::new()
            .add("payment_intent", reference)
            .add("amount", &amount.to_string())
            .add("metadata[order_id]", &fact.order_id);
        self.wire.post::<Refund>("/v1/refunds", form, key).await?.is_of(reference, amount)?;
        let after = self.fact(reference).await?;
        if after.refunded < minor {
            return Err(ProviderError::Unknown(
                "a refund that its payment does not show".to_owned(),
            ));
        }
        Ok(after)
    }

    async fn find(&self, reference: &str) -> Result<Option<ProviderPayment>, ProviderError> {
        self.intent(reference).await?.map(Intent::fact).transpose()
    }

    /// Only the charge tells.
    async fn accepts(&self, _user_id: &str, _method: &str) -> Result<bool, ProviderError> {
        Ok(true)
    }

    async fn list(
        &self,
        since: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<Vec<ProviderPayment>, ProviderError> {
        let mut cursor = cursor.map(str::to_owned);
        for _ in 0..STRANGERS {
            let mut query = vec![
                ("limit", PAGE),
                ("expand[]", "data.latest_charge"),
                ("expand[]", "data.payment_method"),
            ];
            if let Some(cursor) = &cursor {
                query.push(("starting_after", cursor));
            }
            let page: Page = self.wire.get("/v1/payment_intents", &query).await?;
            let Some(last) = page.data.last() else { return Ok(Vec::new()) };
            let next = last.id.clone();
            // newest first: whoever sees an old one has seen all new ones
            let ends = page.data.iter().any(|intent| intent.created_at() < since);
            let facts: Vec<_> = page
                .data
                .into_iter()
                .filter(|intent| intent.created_at() >= since && intent.is_ours())
                .map(Intent::fact)
                .collect::<Result<_, _>>()?;
            // the caller's next cursor is the last of these; a page of strangers is skipped here
            if !facts.is_empty() || ends || !page.has_more {
                return Ok(facts);
            }
            cursor = Some(next);
        }
        Err(ProviderError::Unknown("a list without end".to_owned()))
    }

    fn read_webhook(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Option<Hint> {
        let header = headers.get("stripe-signature")?;
        if !signature::holds(header, self.webhook_secret.reveal().as_bytes(), body, now) {
            return None;
        }
        let event: Event = serde_json::from_slice(body).ok()?;
        let object = event.data.object;
        let reference = match object.object.as_str() {
            "payment_intent" => object.id,
            _ => object.payment_intent.unwrap_or_default(),
        };
        Some(Hint { event_id: event.id, reference })
    }
}

#[cfg(test)]
mod tests;
