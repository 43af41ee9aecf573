//! The states of an order that are committed, and the legal moves between them.
//!
//! ```text
//! created ─► awaiting_payment ─► capturing ─► confirmed ─► shipped ─► delivered
//!    │              │                │            └───────────┴──────────┴─► refund_pending ─► refunded
//!    │              ▼                │
//!    └────────► releasing ◄──────────┘ (a definite refusal to capture)
//!                   └─► rejected | payment_failed | cancelled | expired
//! ```
//!
//! Reserving, authorising and committing stock lie between `created` and `capturing`: they are
//! idempotent by their keys and need no commit of ours.

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Accepted; the saga reserves, authorises, commits stock.
    Created,
    /// The buyer has to do something before the payment goes on.
    AwaitingPayment,
    /// Past the pivot: only forward, unless the provider refuses for good.
    Capturing,
    Confirmed,
    Shipped,
    Delivered,
    /// All money that is left is on its way back.
    RefundPending,
    Refunded,
    /// Being undone, and never anything else again.
    Releasing,
    Rejected,
    PaymentFailed,
    Cancelled,
    Expired,
}

impl State {
    pub(crate) const ALL: [Self; 13] = [
        Self::Created,
        Self::AwaitingPayment,
        Self::Capturing,
        Self::Confirmed,
        Self::Shipped,
        Self::Delivered,
        Self::RefundPending,
        Self::Refunded,
        Self::Releasing,
        Self::Rejected,
        Self::PaymentFailed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AwaitingPayment => "awaiting_payment",
            Self::Capturing => "capturing",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::RefundPending => "refund_pending",
            Self::Refunded => "refunded",
            Self::Releasing => "releasing",
            Self::Rejected => "rejected",
            Self::PaymentFailed => "payment_failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The word that buyers see: what the saga does is "processing" to them.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Created | Self::Capturing | Self::Releasing => "processing",
            other => other.as_str(),
        }
    }

    /// The states behind a word that buyers see; none: there is no such word.
    pub(crate) fn with_status(status: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|state| state.status() == status).collect()
    }

    pub(crate) fn may_become(self, next: Self) -> bool {
        use State::{
            AwaitingPayment, Cancelled, Capturing, Confirmed, Created, Delivered, Expired,
            PaymentFailed, RefundPending, Refunded, Rejected, Releasing, Shipped,
        };
        match self {
            Created => matches!(next, AwaitingPayment | Capturing | Releasing | Rejected),
            AwaitingPayment => matches!(next, Capturing | Releasing),
            Capturing => matches!(next, Confirmed | Releasing),
            // straight to delivered: nothing to ship
            Confirmed => matches!(next, Shipped | Delivered | RefundPending),
            Shipped => matches!(next, Delivered | RefundPending),
            Delivered => matches!(next, RefundPending),
            RefundPending => matches!(next, Refunded),
            Releasing => matches!(next, Rejected | PaymentFailed | Cancelled | Expired),
            Refunded | Rejected | PaymentFailed | Cancelled | Expired => false,
        }
    }

    /// Money was taken for it.
    pub(crate) fn is_paid(self) -> bool {
        matches!(
            self,
            Self::Confirmed
                | Self::Shipped
                | Self::Delivered
                | Self::RefundPending
                | Self::Refunded
        )
    }

    /// It ended without having been confirmed.
    pub(crate) fn is_undone(self) -> bool {
        matches!(self, Self::Rejected | Self::PaymentFailed | Self::Cancelled | Self::Expired)
    }

    /// A wish to cancel ends it without money moving.
    pub(crate) fn may_be_cancelled_by_saga(self) -> bool {
        matches!(self, Self::Created | Self::AwaitingPayment)
    }
}
