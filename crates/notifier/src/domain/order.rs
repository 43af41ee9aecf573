//! What a letter to a buyer tells of one step of an order.
use souk_values::{Money, OrderId};

use super::text::one_line;

/// Lines that a letter shows; more are counted.
const LINE_LIMIT: usize = 200;
/// Characters of a name, number or code; more is cut.
const TEXT_LIMIT: usize = 200;
/// Characters of an address; a longer one is left out.
const LINK_LIMIT: usize = 1_000;

/// A step of which the buyer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Confirmed,
    Failed,
    Shipped,
    Cancelled,
    Refunded,
}

impl Step {
    pub const ALL: [Self; 5] =
        [Self::Confirmed, Self::Failed, Self::Shipped, Self::Cancelled, Self::Refunded];

    /// As the ledger names it.
    pub fn event(self) -> &'static str {
        match self {
            Self::Confirmed => "order.confirmed",
            Self::Failed => "order.failed",
            Self::Shipped => "order.shipped",
            Self::Cancelled => "order.cancelled",
            Self::Refunded => "order.refunded",
        }
    }
}

/// Units of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub sku: String,
    pub name: String,
    pub quantity: i64,
    /// Absent when only the units were told.
    pub unit_price: Option<Money>,
}

impl Line {
    pub fn new(sku: &str, name: &str, quantity: i64, unit_price: Option<Money>) -> Self {
        let (sku, name) = (one_line(sku, TEXT_LIMIT), one_line(name, TEXT_LIMIT));
        Self { sku, name, quantity, unit_price }
    }

    /// `2 x Blue mug (MUG-1)`; large orders are told without names, then without SKUs.
    pub fn what(&self) -> String {
        match (self.name.as_str(), self.sku.as_str()) {
            ("", "") => format!("{} x", self.quantity),
            ("", sku) => format!("{} x {sku}", self.quantity),
            (name, "") => format!("{} x {name}", self.quantity),
            (name, sku) => format!("{} x {name} ({sku})", self.quantity),
        }
    }

    /// Quantity times unit price.
    pub fn amount(&self) -> Option<Money> {
        self.unit_price
            .map(|unit| Money::new(unit.minor.saturating_mul(self.quantity), unit.currency))
    }
}

/// An order as of one step; every text on one line and of bounded length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub number: String,
    pub status: String,
    pub lines: Vec<Line>,
    /// Lines that found no place in `lines`.
    pub more: usize,
    pub subtotal: Money,
    pub discount: Money,
    /// Tax included.
    pub shipping: Money,
    /// All that the total contains.
    pub tax: Money,
    pub total: Money,
    pub shipping_name: String,
    pub coupon: String,
    /// A code; see [`words`].
    pub reason: String,
    pub carrier: String,
    pub tracking_number: String,
    /// Only `http://` and `https://`.
    pub tracking_url: String,
    /// This refund, and all together.
    pub refund: Money,
    pub refunded: Money,
    pub returned: Vec<Line>,
}

impl Order {
    /// Cuts everything to its bound.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.more = self.lines.len().saturating_sub(LINE_LIMIT);
        self.lines.truncate(LINE_LIMIT);
        self.returned.truncate(LINE_LIMIT);
        for text in [
            &mut self.number,
            &mut self.status,
            &mut self.shipping_name,
            &mut self.coupon,
            &mut self.reason,
            &mut self.carrier,
            &mut self.tracking_number,
        ] {
            *text = one_line(text, TEXT_LIMIT);
        }
        let url = self.tracking_url.trim();
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        let is_plain = url.len() <= LINK_LIMIT && url.bytes().all(|b| b.is_ascii_graphic());
        self.tracking_url = if is_web && is_plain { url.to_owned() } else { String::new() };
        self
    }

    /// Tax that comes on top of the prices, so that the column adds up; zero when prices hold it.
    pub fn added_tax(&self) -> Money {
        let goods = self.subtotal.minor - self.discount.minor + self.shipping.minor;
        Money::new(self.total.minor - goods, self.total.currency)
    }
}

/// A reason in words, for a code of the payment provider or of orders.
pub fn words(reason: &str) -> String {
    let sentence = match reason {
        "" => "No reason was given.",
        "payment_failed" | "payment_declined" | "declined" => "The payment was declined.",
        "card_declined" | "generic_decline" | "do_not_honor" => "Your bank declined the payment.",
        "insufficient_funds" => "There is not enough money on the card.",
        "expired_card" => "The card has expired.",
        "incorrect_cvc" | "invalid_cvc" => "The card's security code is wrong.",
        "incorrect_number" | "invalid_number" => "The card's number is wrong.",
        "lost_card" | "stolen_card" | "pickup_card" => "The card cannot be used.",
        "fraudulent" | "highest_risk_level" => "The payment was refused for safety.",
        "processing_error" | "provider_error" => "The payment could not be processed.",
        "authentication_required"
        | "authentication_failed"
        | "payment_intent_authentication_failure" => "The payment was not approved.",
        "timed_out" => "The order could not be finished in time.",
        "no_progress" => "The order makes no progress.",
        "refund_refused" => "The payment provider refused the refund.",
        "payment_unknown" | "payment_missing" => "The payment is not known to the provider.",
        "payment_differs" | "amount_differs" => "The payment is not what the order says.",
        "provider_refused" => "The payment provider refused.",
        "action_expired" | "payment_expired" | "expired" => "The payment was not made in time.",
        "out_of_stock" => "Not everything you ordered is in stock any more.",
        "price_changed" => "A price changed before the order was placed.",
        "product_gone" => "A product you ordered is not sold any more.",
        "cart_changed" => "The cart changed before the order was placed.",
        "customer" | "cancelled" | "customer_request" | "cancelled_by_customer" | "by_customer" => {
            "You asked for it."
        }
        "staff" | "shop" | "cancelled_by_staff" | "by_staff" => "The shop cancelled it.",
        coupon if coupon.starts_with("coupon_") => "The coupon could not be used.",
        other => return format!("Reason: {}.", other.replace('_', " ")),
    };
    sentence.to_owned()
}

#[cfg(test)]
mod tests {
    use souk_values::Currency;

    use super::*;

    #[test]
    fn reasons_are_told_in_words() {
        assert_eq!(words("insufficient_funds"), "There is not enough money on the card.");
        assert_eq!(words("coupon_expired"), "The coupon could not be used.");
        assert_eq!(words("moon_phase"), "Reason: moon phase.");
        assert!(!words("").is_empty());
    }

    #[test]
    fn a_line_says_what_is_known() {
        assert_eq!(Line::new("M", "Mug", 3, None).what(), "3 x Mug (M)");
        assert_eq!(Line::new("M", "", 3, None).what(), "3 x M");
        assert_eq!(Line::new("", "prd_1", 3, None).what(), "3 x prd_1");
    }

    #[test]
    fn an_amount_is_that_of_all_units() {
        let unit = Money::new(1_999, Currency::EUR);
        assert_eq!(Line::new("M", "Mug", 3, Some(unit)).amount().unwrap().to_string(), "59.97 EUR");
        assert_eq!(Line::new("M", "Mug", 3, None).amount(), None);
    }
}
