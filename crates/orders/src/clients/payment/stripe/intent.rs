//! A PaymentIntent as Stripe writes it, as far as it is read.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use souk_values::{Currency, Money, OrderId};

use super::{amount, is_id, wire};
use crate::domain::payment::{ProviderError, ProviderPayment, State};

const LONGEST_URL: usize = 2048;

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
    /// What was taken.
    #[serde(default)]
    amount_received: Option<i64>,
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

/// What was given back.
#[derive(Deserialize)]
pub(super) struct Refund {
    amount: i64,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    payment_intent: Option<String>,
}

impl Refund {
    /// Whether it is what was asked for, in Stripe's units.
    pub(super) fn is_of(&self, reference: &str, amount: i64) -> Result<(), ProviderError> {
        let odd = |what: &str| Err(ProviderError::Unknown(format!("a refund {what}")));
        if self.amount != amount {
            return odd("of another amount");
        }
        if self.payment_intent.as_deref().is_some_and(|of| of != reference) {
            return odd("of another payment");
        }
        match self.status.as_deref() {
            Some("failed" | "canceled") => {
                Err(ProviderError::Refused { code: "refund_failed".to_owned() })
            }
            _ => Ok(()),
        }
    }
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

/// Whether a browser can be sent there: no script, nothing endless.
#[allow(clippy::ptr_arg, reason = "as Option::filter calls it")]
fn leads(url: &String) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.len() <= LONGEST_URL && url.bytes().all(|b| b.is_ascii_graphic())
}

impl Intent {
    pub(super) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.created, 0).unwrap_or_default()
    }

    /// Itself, if it is the one that was asked about.
    pub(super) fn of(self, reference: &str) -> Result<Self, ProviderError> {
        if self.id == reference {
            return Ok(self);
        }
        Err(ProviderError::Unknown("an answer about another payment".to_owned()))
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

    /// What it says, if it can be said at all: whatever is not Stripe's way of saying it is no
    /// fact, and what is shown to people is only taken in its form.
    pub(super) fn fact(self) -> Result<ProviderPayment, ProviderError> {
        let state = self.state();
        let created_at = self.created_at();
        if !is_id(&self.id) {
            return Err(ProviderError::Unknown("a payment whose id is none".to_owned()));
        }
        let odd = |what: &str| ProviderError::Unknown(format!("{} of {what}", self.id));
        let currency: Currency =
            self.currency.to_uppercase().parse().map_err(|_| odd("an unknown currency"))?;
        let count = |minor: i64| {
            amount::from_stripe(minor, currency).ok_or_else(|| odd("an amount we cannot count"))
        };
        let charge = self.latest_charge.as_ref();
        let taken = match charge {
            _ if state != State::Captured => 0,
            Some(charge) if charge.captured => charge.amount_captured.unwrap_or(charge.amount),
            Some(_) => return Err(odd("a success without a capture")),
            None => self.amount_received.ok_or_else(|| odd("a success without an amount"))?,
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
            Some(error) => {
                let code = wire::code(error.decline_code).or(wire::code(error.code));
                (code, error.payment_method)
            }
            None => (None, None),
        };
        let card = self.payment_method.or(refused_card).and_then(|method| method.card);
        let (brand, last4) = card.map_or_else(Default::default, |c| (c.brand, c.last4));
        let brand = wire::code(Some(brand)).unwrap_or_default();
        let digits = last4.len() == 4 && last4.bytes().all(|b| b.is_ascii_digit());
        let last4 = if digits { last4 } else { String::new() };
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
            action_url: action_url.map(|redirect| redirect.url).filter(leads).unwrap_or_default(),
            created_at,
        })
    }
}
