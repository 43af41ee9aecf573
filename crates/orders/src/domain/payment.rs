//! What can be known of a payment, and in which order.
pub(crate) mod book;
mod difference;
pub(crate) mod number;

use std::time::Duration;

use chrono::{DateTime, Utc};
use souk_values::{Money, OrderId};

pub(crate) use difference::{Action, Difference, Kind};

/// Where a payment stands. Facts come by answer, webhook and reconciler in any order; only a
/// higher one is believed (monotone), the same again is a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Asked for; nothing is known.
    Pending,
    /// Waits for the buyer.
    RequiresAction,
    Authorised,
    Declined,
    Voided,
    Captured,
}

impl State {
    pub(crate) const ALL: [Self; 6] = [
        Self::Pending,
        Self::RequiresAction,
        Self::Authorised,
        Self::Declined,
        Self::Voided,
        Self::Captured,
    ];

    /// As it is stored and shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Authorised => "authorised",
            Self::Declined => "declined",
            Self::Voided => "voided",
            Self::Captured => "captured",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The payment of an order in our books: what all facts so far say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) order_id: OrderId,
    /// "test" or "stripe".
    pub(crate) provider: String,
    /// The provider's id; empty until the first fact.
    pub(crate) reference: String,
    pub(crate) state: State,
    pub(crate) amount: Money,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) decline_code: String,
    pub(crate) action_url: String,
    /// The token that pays; empty: the built-in test card.
    pub(crate) method: String,
    /// 1, 2, …: grows only after a definite decline.
    pub(crate) attempt: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// What a fact was to our books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They know more now.
    News,
    /// It was known, or something higher was.
    Known,
    /// It cannot be about this payment; nothing was believed. Says why.
    Differs(String),
}

impl Payment {
    /// The first attempt, of which nothing is known yet.
    pub(crate) fn new(
        order_id: OrderId,
        provider: &str,
        method: &str,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            order_id,
            provider: provider.to_owned(),
            reference: String::new(),
            state: State::Pending,
            amount,
            captured: 0,
            refunded: 0,
            brand: String::new(),
            last4: String::new(),
            decline_code: String::new(),
            action_url: String::new(),
            method: method.to_owned(),
            attempt: 1,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn authorise_key(&self) -> String {
        format!("order:{}:auth:{}", self.order_id, self.attempt)
    }

    pub(crate) fn capture_key(&self) -> String {
        format!("order:{}:capture", self.order_id)
    }

    pub(crate) fn void_key(&self) -> String {
        format!("order:{}:void", self.order_id)
    }

    /// Of the refund with this id.
    pub(crate) fn refund_key(&self, refund: impl std::fmt::Display) -> String {
        format!("order:{}:refund:{refund}", self.order_id)
    }

    /// Joins a fact with what is known. Joining is monotone and the order of facts does not
    /// matter; a fact about another amount or order changes nothing.
    pub(crate) fn take(&mut self, fact: &ProviderPayment, now: DateTime<Utc>) -> Verdict {
        if let Some((_, why)) = self.difference(fact) {
            return Verdict::Differs(why);
        }
        let before = self.clone();
        let fill = |known: &mut String, said: &str| {
            if known.is_empty() {
                said.clone_into(known);
            }
        };
        fill(&mut self.reference, &fact.reference);
        fill(&mut self.brand, &fact.brand);
        fill(&mut self.last4, &fact.last4);
        fill(&mut self.decline_code, &fact.decline_code);
        fill(&mut self.action_url, &fact.action_url);
        self.state = self.state.max(fact.state);
        self.captured = self.captured.max(fact.captured);
        self.refunded = self.refunded.max(fact.refunded);
        if *self == before {
            return Verdict::Known;
        }
        self.updated_at = now;
        Verdict::News
    }

    /// Why a fact cannot be about this payment.
    pub(crate) fn difference(&self, fact: &ProviderPayment) -> Option<(Kind, String)> {
        let amount = |detail| Some((Kind::AmountDiffers, detail));
        if fact.order_id != self.order_id.to_string() {
            return amount(format!("it says to be of order {:?}", fact.order_id));
        }
        if fact.amount != self.amount {
            return amount(format!("{} there, {} here", fact.amount, self.amount));
        }
        if fact.captured > self.amount.minor || fact.refunded > fact.captured {
            let taken = Money::new(fact.captured, fact.amount.currency);
            let returned = Money::new(fact.refunded, fact.amount.currency);
            return amount(format!("{taken} were taken and {returned} given back"));
        }
        let other = !self.reference.is_empty()
            && !fact.reference.is_empty()
            && fact.reference != self.reference;
        other.then(|| (Kind::SecondPayment, format!("beside {}", self.reference)))
    }
}

/// A payment as the provider has it in its books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderPayment {
    /// The provider's id.
    pub(crate) reference: String,
    pub(crate) order_id: String,
    pub(crate) state: State,
    pub(crate) amount: Money,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) brand: String,
    pub(crate) last4: String,
    /// With `Declined`: `card_declined`, `insufficient_funds`, `expired_card`, ….
    pub(crate) decline_code: String,
    /// With `RequiresAction`: where the buyer goes.
    pub(crate) action_url: String,
    pub(crate) created_at: DateTime<Utc>,
}

/// What is asked for first.
#[derive(Clone, Debug)]
pub(crate) struct Authorise {
    pub(crate) order_id: String,
    pub(crate) user_id: String,
    /// A token; empty: the default test method.
    pub(crate) method: String,
    pub(crate) amount: Money,
    /// `order:<id>:auth:<n>`; the same key is the same payment.
    pub(crate) key: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// Time ran out, the connection broke, 5xx: it may have happened. Ask again with the same key.
    #[error("the provider did not answer: {0}")]
    Unknown(String),
    /// It did not happen and never will with this request.
    #[error("the provider refused: {code}")]
    Refused { code: String },
}

/// A webhook that the provider signed: a hint that something happened to this payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The provider's id of the message: once each.
    pub(crate) event_id: String,
    /// Of the payment; empty when the message is about something else.
    pub(crate) reference: String,
}

/// Webhooks older or newer than this are replays.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests;
