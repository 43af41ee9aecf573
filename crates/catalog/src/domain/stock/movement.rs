//! A row of the ledger, and what an admin's movement does to a shelf.
use chrono::{DateTime, Utc};
use souk_values::{MovementId, OrderId, ProductId};

use super::{MAX, Shelf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MovementKind {
    /// What a product came with.
    Initial,
    Receive,
    Adjust,
    Count,
    Sale,
    Return,
}

impl MovementKind {
    pub(crate) const WORDS: &'static str = "initial, receive, adjust, count, sale, return";

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Receive => "receive",
            Self::Adjust => "adjust",
            Self::Count => "count",
            Self::Sale => "sale",
            Self::Return => "return",
        }
    }

    /// Whether people move by it.
    pub(crate) fn by_hand(self) -> bool {
        matches!(self, Self::Receive | Self::Adjust | Self::Count)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Initial, Self::Receive, Self::Adjust, Self::Count, Self::Sale, Self::Return]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// One row of the ledger: it is written once and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) id: MovementId,
    pub(crate) product_id: ProductId,
    pub(crate) kind: MovementKind,
    /// What came (or, negative, went).
    pub(crate) quantity: i64,
    pub(crate) on_hand_after: i64,
    pub(crate) reason: String,
    pub(crate) order_id: Option<OrderId>,
    /// Empty: no return, or that of a whole order.
    pub(crate) return_id: String,
    pub(crate) actor: String,
    pub(crate) at: DateTime<Utc>,
}

/// Why a movement cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The field and what it must be.
    Field(&'static str, String),
    BelowReserved {
        reserved: i64,
    },
}

/// What may be said of a movement of this kind.
pub(crate) fn quantity(kind: MovementKind, quantity: i64) -> Result<(), String> {
    if quantity.unsigned_abs() > MAX.unsigned_abs() {
        return Err(format!("must be at most {MAX}"));
    }
    match kind {
        MovementKind::Adjust if quantity == 0 => Err("must not be 0".to_owned()),
        MovementKind::Receive | MovementKind::Count if quantity < 0 => {
            Err("must not be negative".to_owned())
        }
        _ => Ok(()),
    }
}

/// What lies on the shelf after the movement.
pub(crate) fn moved(shelf: &Shelf, kind: MovementKind, by: i64) -> Result<i64, Broken> {
    let must = |sentence: String| Err(Broken::Field("quantity", sentence));
    if shelf.digital {
        return must("cannot be moved: digital goods have no stock".to_owned());
    }
    if let Err(sentence) = quantity(kind, by) {
        return must(sentence);
    }
    let after = match kind {
        MovementKind::Receive | MovementKind::Adjust => shelf.on_hand + by,
        MovementKind::Count => by,
        MovementKind::Initial | MovementKind::Sale | MovementKind::Return => {
            let sentence = "must be receive, adjust or count".to_owned();
            return Err(Broken::Field("kind", sentence));
        }
    };
    if after > MAX {
        return must(format!("must leave at most {MAX} on the shelf"));
    }
    if after < shelf.reserved {
        return Err(Broken::BelowReserved { reserved: shelf.reserved });
    }
    Ok(after)
}
