//! Refunds: what they may cost, and what they cost.
use chrono::{DateTime, Utc};
use souk_values::{Currency, Money, OrderId, ProductId, RefundId};

use super::{Order, State};
use crate::domain::pricing::Line;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundState {
    /// Decided, and on its way to the provider.
    Pending,
    Done,
    /// The provider refuses it for good.
    Failed,
}

impl RefundState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Done, Self::Failed].into_iter().find(|state| state.as_str() == text)
    }
}

/// Money that goes back, and maybe goods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: RefundId,
    pub(crate) order_id: OrderId,
    /// 1, 2, … within its order; part of the provider's key.
    pub(crate) number: i32,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) state: RefundState,
    /// The units go back on the shelf.
    pub(crate) restock: bool,
    pub(crate) actor: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) lines: Vec<(ProductId, i64)>,
}

impl Refund {
    /// For people.
    pub(crate) fn amount_in(&self, currency: Currency) -> Money {
        Money::new(self.amount, currency)
    }
}

/// What staff want to give back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// `None`: what the lines cost, or all that is left when there are no lines.
    pub(crate) amount: Option<i64>,
    pub(crate) lines: Vec<(ProductId, i64)>,
    pub(crate) restock: bool,
    pub(crate) reason: String,
}

/// A refund that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) amount: i64,
    pub(crate) lines: Vec<(ProductId, i64)>,
    /// Nothing is left after it.
    pub(crate) all: bool,
}

/// Why a refund may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unrefundable {
    /// Nothing was paid yet, or the order was undone.
    NotPaid,
    /// More than is left (which is said).
    TooLarge { left: i64 },
    /// A line that is not in the order, or stands twice, or asks for less than one unit.
    Line { index: usize, must: String },
    /// An amount of nothing.
    Nothing,
}

/// Decides a refund of a paid order; `before`: those made so far, failed ones too.
pub(crate) fn decide(
    order: &Order,
    before: &[Refund],
    wish: &Wish,
) -> Result<Decided, Unrefundable> {
    if !order.state.is_paid() || order.state == State::Refunded {
        return Err(Unrefundable::NotPaid);
    }
    let live: Vec<&Refund> = before.iter().filter(|r| r.state != RefundState::Failed).collect();
    let given = live.iter().fold(0_i64, |sum, refund| sum.saturating_add(refund.amount));
    let left = order.quote.total.saturating_sub(given);
    let returned = |product: ProductId| {
        let lines = live.iter().flat_map(|refund| &refund.lines);
        lines.filter(|(id, _)| *id == product).map(|(_, quantity)| quantity).sum::<i64>()
    };
    let mut cost = 0_i64;
    for (index, (product, quantity)) in wish.lines.iter().enumerate() {
        let broken = |must: &str| Unrefundable::Line { index, must: must.to_owned() };
        let line = order.quote.lines.iter().find(|line| line.product_id == *product);
        let line = line.ok_or_else(|| broken("is not in the order"))?;
        if wish.lines.iter().take(index).any(|(earlier, _)| earlier == product) {
            return Err(broken("stands twice"));
        }
        if *quantity < 1 {
            return Err(broken("must be at least 1"));
        }
        let gone = returned(*product);
        if *quantity > line.quantity - gone {
            return Err(Unrefundable::TooLarge { left });
        }
        cost = cost.saturating_add(share(line, gone, *quantity));
    }
    let lines = if wish.lines.is_empty() && (wish.amount.is_none() || wish.restock) {
        let rest = |line: &Line| (line.product_id, line.quantity - returned(line.product_id));
        order.quote.lines.iter().map(rest).filter(|(_, quantity)| *quantity > 0).collect()
    } else {
        wish.lines.clone()
    };
    let amount = match wish.amount {
        Some(amount) => amount,
        None if wish.lines.is_empty() => left,
        None => cost,
    };
    if amount > left || left == 0 && (order.quote.total > 0 || !live.is_empty()) {
        return Err(Unrefundable::TooLarge { left });
    }
    if amount < 1 && order.quote.total > 0 {
        return Err(Unrefundable::Nothing);
    }
    Ok(Decided { amount, lines, all: amount == left })
}

/// What `quantity` units of a line cost after `gone` units were given back: by share, to the minor
/// unit; the last unit takes the remainder.
pub(crate) fn share(line: &Line, gone: i64, quantity: i64) -> i64 {
    let upto = |units: i64| {
        let part = i128::from(line.total) * i128::from(units) / i128::from(line.quantity.max(1));
        i64::try_from(part).unwrap_or(line.total)
    };
    upto(gone.saturating_add(quantity)).saturating_sub(upto(gone))
}
