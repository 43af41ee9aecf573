//! Stock of one product: what may be promised, sold, taken back and counted.
mod books;
mod movement;
#[cfg(test)]
mod tests;

use souk_values::{Money, ProductId};

pub(crate) use books::{Ask, Books, Done, Hold, Refusal, State, What};
pub(crate) use movement::{Broken, Movement, MovementKind, moved, quantity};

/// A billion units is more than anybody has; sums stay far inside `i64`.
pub(crate) const MAX: i64 = 1_000_000_000;
/// Name of the attribute by which a product has a threshold of its own.
pub(crate) const LOW_ATTRIBUTE: &str = "low_stock_at";

/// A product as far as stock is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) id: ProductId,
    pub(crate) sku: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) digital: bool,
    pub(crate) active: bool,
    pub(crate) price: Money,
    pub(crate) version: i64,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    /// Counts the changes of the two above.
    pub(crate) stock_seq: i64,
    /// Threshold of this product; `None`: the shop's.
    pub(crate) low_at: Option<i64>,
    /// Whether low stock was told since it last was above the threshold.
    pub(crate) low_told: bool,
    /// How often it was told.
    pub(crate) low_seq: i64,
}

/// A line of an order before anything is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    /// The price that the buyer saw, in minor units; `None`: whatever it is.
    pub(crate) seen_price: Option<i64>,
    /// Empty: whatever it is.
    pub(crate) seen_currency: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    OutOfStock,
    PriceChanged,
    ProductGone,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::PriceChanged => "price_changed",
            Self::ProductGone => "product_gone",
        }
    }
}

/// A line that cannot be had, with how things are now; of goods that are gone nothing is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedLine {
    pub(crate) product_id: ProductId,
    pub(crate) reason: Reason,
    pub(crate) available: Option<i64>,
    pub(crate) price: Option<Money>,
    pub(crate) version: Option<i64>,
}

impl RefusedLine {
    pub(crate) fn gone(product_id: ProductId) -> Self {
        let reason = Reason::ProductGone;
        Self { product_id, reason, available: None, price: None, version: None }
    }
}

impl Shelf {
    /// What can be promised now; `None`: without limit.
    pub(crate) fn available(&self) -> Option<i64> {
        (!self.digital).then(|| (self.on_hand - self.reserved).max(0))
    }

    /// Why the line cannot be promised. Another version at the same price is no reason.
    pub(crate) fn refuses(&self, wanted: &Wanted) -> Option<RefusedLine> {
        if !self.active {
            return Some(RefusedLine::gone(self.id));
        }
        let short = self.available().is_some_and(|available| available < wanted.quantity);
        let other_price = wanted.seen_price.is_some_and(|seen| seen != self.price.minor)
            || (!wanted.seen_currency.is_empty()
                && wanted.seen_currency != self.price.currency.to_string());
        let reason = match (short, other_price) {
            (true, _) => Reason::OutOfStock,
            (false, true) => Reason::PriceChanged,
            (false, false) => return None,
        };
        Some(RefusedLine {
            product_id: self.id,
            reason,
            available: self.available(),
            price: Some(self.price),
            version: Some(self.version),
        })
    }

    /// The threshold at or below which stock is low; `None`: never. `shops`: of products without one
    /// of their own.
    fn threshold(&self, shops: i64) -> Option<i64> {
        Some(self.low_at.unwrap_or(shops)).filter(|threshold| *threshold > 0)
    }

    /// Notes that what can be promised has changed. Answers the threshold when this must be told:
    /// once, until there is more again.
    pub(crate) fn look_low(&mut self, shops: i64) -> Option<i64> {
        let (threshold, available) = (self.threshold(shops)?, self.available()?);
        if available > threshold {
            self.low_told = false;
            return None;
        }
        // nobody misses hidden goods
        if self.low_told || !self.active {
            return None;
        }
        self.low_told = true;
        self.low_seq += 1;
        Some(threshold)
    }
}

/// The threshold that an attribute says.
pub(crate) fn low_at(text: &str) -> Result<i64, String> {
    let number: Option<i64> = text.trim().parse().ok();
    number
        .filter(|n| (0..=MAX).contains(n))
        .ok_or_else(|| format!("{LOW_ATTRIBUTE} must be a whole number between 0 and {MAX}"))
}
