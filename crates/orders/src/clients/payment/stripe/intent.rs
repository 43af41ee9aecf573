//! A PaymentIntent as Stripe writes it, as far as it is read.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use souk_values::{Currency, Money, OrderId};

use super::amount;
use crate::domain::payment::{ProviderError, ProviderPayment, State};

#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Intent>,
    #[serde(default)]
    pub(super) has_more: bool,
}

#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    amount: i64,
    currency: String,
    status: String,
    created: i64,
    #[serde(default)]
    metadata: Metadata,
    /// A charge in full, its id, or nothing.
    #[serde(default, deserialize_with = "full")]
    latest_charge: Option<Charge>,
    #[serde(default, deserialize_with = "full")]
    payment_method: Option<Method>,
    #[serde(default)]
    last_payment_error: Option<LastError>,
    #[serde(default)]
    next_action: Option<NextAction>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    order_id: String,
}

#[derive(Deserialize)]
pub(super) struct Charge {
    #[serde(default)]
    amount: i64,
    /// Absent where captures are all or nothing.
    #[serde(default)]
    amount_captured: Option<i64>,
    #[serde(default)]
    amount_refunded: i64,
    #[serde(default)]
    captured: bool,
    #[serde(default)]
    pub(super) payment_intent: Option<String>,
}

#[derive(Deserialize)]
struct Method {
    #[serde(default)]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    #[serde(default)]
    brand: String,
    #[serde(default)]
    last4: String,
}

#[derive(Deserialize)]
struct LastError {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default, deserialize_with = "full")]
    payment_method: Option<Method>,
}

#[derive(Deserialize)]
struct NextAction {
    #[serde(default)]
    redirect_to_url: Option<Redirect>,
}

#[derive(Deserialize)]
struct Redirect {
    #[serde(default)]
    url: String,
}

/// A nested object that may be only an id.
fn full<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Full(T),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Either::deserialize(d)? {
        Either::Full(full) => Some(full),
        Either::Other(_) => None,
    })
}

impl Intent {
    pub(super) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.created, 0).unwrap_or_default()
    }

    /// Others may use the same account.
    pub(super) fn is_ours(&self) -> bool {
        self.metadata.order_id.parse::<OrderId>().is_ok()
    }

    fn state(&self) -> State {
        match self.status.as_str() {
            "requires_capture" => State::Authorised,
            "succeeded" => State::Captured,
            "canceled" => State::Voided,
            "requires_action" | "requires_confirmation" => State::RequiresAction,
            "requires_payment_method" if self.last_payment_error.is_some() => State::Declined,
            _ => State::Pending,
        }
    }

    pub(super) fn fact(self) -> Result<ProviderPayment, ProviderError> {
        let state = self.state();
        let created_at = self.created_at();
        let odd = |what: &str| ProviderError::Unknown(format!("{} of {what}", self.id));
        let currency: Currency =
            self.currency.to_uppercase().parse().map_err(|_| odd("an unknown currency"))?;
        let count = |minor: i64| {
            amount::from_stripe(minor, currency).ok_or_else(|| odd("an amount we cannot count"))
        };
        let charge = self.latest_charge.as_ref();
        let taken = match charge {
            Some(charge) if state == State::Captured && charge.captured => {
                charge.amount_captured.unwrap_or(charge.amount)
            }
            _ if state == State::Captured => self.amount,
            _ => 0,
        };
        let captured = count(taken)?;
        // a void is written as a refund of what was never taken
        let refunded = if state == State::Captured {
            count(charge.map_or(0, |charge| charge.amount_refunded))?
        } else {
            0
        };
        let amount = Money::new(count(self.amount)?, currency);
        let error = self.last_payment_error;
        let (code, refused_card) = match error {
            Some(error) => (error.decline_code.or(error.code), error.payment_method),
            None => (None, None),
        };
        let card = self.payment_method.or(refused_card).and_then(|method| method.card);
        let (brand, last4) = card.map_or_else(Default::default, |c| (c.brand, c.last4));
        let action_url = self.next_action.and_then(|action| action.redirect_to_url);
        Ok(ProviderPayment {
            reference: self.id,
            order_id: self.metadata.order_id,
            state,
            amount,
            captured,
            refunded,
            brand,
            last4,
            decline_code: if state == State::Declined {
                code.unwrap_or_default()
            } else {
                String::new()
            },
            action_url: action_url.map(|redirect| redirect.url).unwrap_or_default(),
            created_at,
        })
    }
}
