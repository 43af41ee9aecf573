//! An order: its states, the moves between them, and who may end it when.
pub(crate) mod refund;
pub(crate) mod state;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use souk_values::{CartId, Currency, Money, OrderId, UserId};

pub(crate) use refund::{Refund, RefundState};
pub(crate) use state::State;

use super::address::Address;
use super::change::Refusal;
use super::pricing::Quote;

/// An order with its own copy of everything it shows.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    /// For people: `S-7F3K-9Q2M`.
    pub(crate) number: String,
    pub(crate) user_id: UserId,
    pub(crate) cart_id: CartId,
    /// The state of the cart that became this order.
    pub(crate) cart_version: i64,
    pub(crate) state: State,
    /// Why it was rejected, failed or cancelled: a code. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) quote: Quote,
    pub(crate) shipping_address: Option<Address>,
    pub(crate) billing_address: Option<Address>,
    pub(crate) note: String,
    /// Token; empty: the default test method.
    pub(crate) payment_method: String,
    pub(crate) needs_review: bool,
    pub(crate) review_reason: String,
    /// Somebody wants it to end; honored by the saga.
    pub(crate) cancel: Option<CancelWish>,
    /// Given back so far, minor units.
    pub(crate) refunded: i64,
    /// Of its events: 1, 2, 3 ….
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) confirmed_at: Option<DateTime<Utc>>,
}

/// Who wants an order cancelled, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CancelWish {
    pub(crate) actor: String,
    pub(crate) reason: String,
}

impl Order {
    pub(crate) fn currency(&self) -> Currency {
        self.quote.currency
    }

    pub(crate) fn total(&self) -> Money {
        Money::new(self.quote.total, self.quote.currency)
    }

    /// Whether money has to move at all.
    pub(crate) fn is_free(&self) -> bool {
        self.quote.total == 0
    }

    pub(crate) fn items_count(&self) -> i64 {
        self.quote.lines.iter().fold(0, |sum, line| sum.saturating_add(line.quantity))
    }

    pub(crate) fn is_all_digital(&self) -> bool {
        self.quote.lines.iter().all(|line| line.digital)
    }

    /// What a search looks at: folded number, SKUs, names, names in addresses.
    pub(crate) fn search_text(&self) -> String {
        let mut words = vec![self.number.as_str()];
        for line in &self.quote.lines {
            words.push(&line.sku);
            words.push(&line.name);
        }
        for address in self.shipping_address.iter().chain(&self.billing_address) {
            words.push(&address.name);
            words.push(&address.company);
        }
        words.join("\n").to_lowercase()
    }
}

/// What a wish to cancel comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelling {
    /// The saga is told, and undoes what it did if it has not passed the pivot.
    Ask,
    /// It is paid: the money goes back.
    Refund,
}

/// `None`: shipped, or ended.
pub(crate) fn cancelling(state: State) -> Option<Cancelling> {
    match state {
        State::Created | State::AwaitingPayment | State::Capturing => Some(Cancelling::Ask),
        State::Confirmed => Some(Cancelling::Refund),
        _ => None,
    }
}

/// How an order ends that is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    /// One of the ended states.
    pub(crate) to: State,
    pub(crate) why: Refusal,
}

impl Undo {
    pub(crate) fn new(to: State, why: Refusal) -> Self {
        Self { to, why }
    }

    /// Whether the buyer gets the cart back: not of what they took back themselves.
    pub(crate) fn restores_cart(&self) -> bool {
        self.to != State::Cancelled
    }
}

/// Letters of an order number: Crockford's base 32, which nobody misreads.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `S-7F3K-9Q2M` out of 40 random bits.
pub(crate) fn number(random: u64) -> String {
    let letter = |place: u32| {
        let index = usize::try_from((random >> (5 * place)) & 31).unwrap_or_default();
        char::from(LETTERS[index])
    };
    let half = |from: u32| (from..from + 4).map(letter).collect::<String>();
    format!("S-{}-{}", half(0), half(4))
}
