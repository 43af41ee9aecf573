//! Where the provider's books and ours do not fit.
use chrono::{DateTime, Utc};

use super::ProviderPayment;

/// How the provider's books differ from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Money is held for an order that is not confirmed and never will be, or does not exist.
    CapturedWithoutOrder,
    /// Goods are owed and nobody paid.
    ConfirmedWithoutCapture,
    /// Money of a buyer is held for nothing.
    OpenAuthorisation,
    AmountDiffers,
    /// One order was paid twice.
    SecondPayment,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::CapturedWithoutOrder,
        Self::ConfirmedWithoutCapture,
        Self::OpenAuthorisation,
        Self::AmountDiffers,
        Self::SecondPayment,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::CapturedWithoutOrder => "captured_without_order",
            Self::ConfirmedWithoutCapture => "confirmed_without_capture",
            Self::OpenAuthorisation => "open_authorisation",
            Self::AmountDiffers => "amount_differs",
            Self::SecondPayment => "second_payment",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What was done about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Repaired,
    /// A person decides.
    ProposedRefund,
    Alarm,
}

impl Action {
    const ALL: [Self; 3] = [Self::Repaired, Self::ProposedRefund, Self::Alarm];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::ProposedRefund => "proposed_refund",
            Self::Alarm => "alarm",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// A difference between the provider's books and ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    /// As the provider has it; not always an order of ours.
    pub(crate) order_id: String,
    pub(crate) reference: String,
    pub(crate) detail: String,
    pub(crate) action: Action,
    pub(crate) found_at: DateTime<Utc>,
    pub(crate) open: bool,
}

impl Difference {
    /// One that is repaired is closed, all others are open.
    pub(crate) fn new(
        kind: Kind,
        fact: &ProviderPayment,
        detail: impl Into<String>,
        action: Action,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            kind,
            order_id: fact.order_id.clone(),
            reference: fact.reference.clone(),
            detail: detail.into(),
            action,
            found_at: now,
            open: action != Action::Repaired,
        }
    }
}
